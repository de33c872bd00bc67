# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter backup_queue_max; the work is in module_utils/_backup."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.trading.platform.plugins.module_utils._backup import queue


def backup_queue_max(mounts: Sequence[Mapping[str, Any]], directory: str) -> str:
    try:
        return queue.queue_max(mounts, directory)
    except (KeyError, TypeError, ValueError) as exc:
        raise AnsibleFilterError(f"backup_queue_max: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"backup_queue_max": backup_queue_max}
