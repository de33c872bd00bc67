# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter registry_files; the work is in module_utils/_docker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.trading.platform.plugins.module_utils._docker import registries


def registry_files(given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    try:
        return registries.registry_files(given)
    except ValueError as exc:
        raise AnsibleFilterError(f"registry_files: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"registry_files": registry_files}
