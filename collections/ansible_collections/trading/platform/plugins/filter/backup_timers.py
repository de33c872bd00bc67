# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter backup_timers; the work is in module_utils/_backup."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.trading.platform.plugins.module_utils._backup import schedules


def backup_timers(
    given: Sequence[Mapping[str, str]], scheduler: str, jitter: int, job: Mapping[str, str]
) -> dict[str, str]:
    try:
        return schedules.timer_files(given, scheduler, jitter, schedules.Job(**job))
    except (KeyError, TypeError, ValueError) as exc:
        raise AnsibleFilterError(f"backup_timers: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"backup_timers": backup_timers}
