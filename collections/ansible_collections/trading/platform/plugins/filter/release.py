# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the role app; the work is in module_utils/_release."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.trading.platform.plugins.module_utils._release import goals, records, slots, telling


def app_slots(services: Sequence[Mapping[str, Any]], subnet: str, max_instances: int) -> dict[str, dict[str, Any]]:
    try:
        return slots.slots(services, subnet, max_instances)
    except (records.ReleaseError, ValueError) as exc:
        raise AnsibleFilterError(f"app_slots: {exc}") from exc


def app_release(
    services: Sequence[Mapping[str, Any]],
    version: str,
    images: Mapping[str, str],
    env: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    try:
        return records.compose(services, version, images, env or {}, secrets or {})
    except records.ReleaseError as exc:
        raise AnsibleFilterError(f"app_release: {exc}") from exc


def app_goal(seen: telling.Looks, wanted: str) -> str:
    try:
        return goals.goal(seen, wanted)
    except records.ReleaseError as exc:
        raise AnsibleFilterError(f"app_goal: {exc}") from exc


def app_standby(seen: telling.Looks) -> str:
    try:
        return goals.standby(seen)
    except records.ReleaseError as exc:
        raise AnsibleFilterError(f"app_standby: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "app_slots": app_slots,
            "app_release": app_release,
            "app_goal": app_goal,
            "app_standby": app_standby,
        }
