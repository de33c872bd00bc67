# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters postgres_hba and postgres_settings_accepted; the work is in module_utils/_postgres."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.trading.platform.plugins.module_utils._postgres import hba, settings


def postgres_hba(
    entries: Sequence[Any],
    members: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    try:
        return hba.lines(entries, members, groups, hostvars)
    except ValueError as exc:
        raise AnsibleFilterError(f"postgres_hba: {exc}") from exc


def postgres_settings_accepted(overrides: Mapping[str, Any], version: int | str) -> dict[str, Any]:
    try:
        problems = _problems(overrides, version)
    except (AttributeError, TypeError, ValueError) as exc:
        raise AnsibleFilterError(f"postgres_settings: {exc}") from exc
    if problems:
        raise AnsibleFilterError("postgres_settings: " + "; ".join(problems))
    return dict(overrides)


def _problems(overrides: Mapping[str, Any], version: int | str) -> list[str]:
    """Before a host was asked for its release, the version may be unknown (0): then what is wrong in every version."""
    if str(version) != "0":
        return settings.setting_problems(overrides, version)
    found = []
    for name, value in overrides.items():
        each = [settings.setting_problems({name: value}, one) for one in settings.VERSIONS]
        found += each[0] if all(each) else []
    return found


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgres_hba": postgres_hba, "postgres_settings_accepted": postgres_settings_accepted}
