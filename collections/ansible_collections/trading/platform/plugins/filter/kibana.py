# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the role kibana; the work is in module_utils/_kibana."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.trading.platform.plugins.module_utils._kibana import keys, objects


def kibana_keys(given: Mapping[str, str]) -> dict[str, str]:
    try:
        return keys.checked(given)
    except ValueError as exc:
        raise AnsibleFilterError(f"kibana_keys: {exc}") from exc


def kibana_objects(given: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    try:
        return objects.wanted(given)
    except ValueError as exc:
        raise AnsibleFilterError(f"kibana_objects: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"kibana_keys": kibana_keys, "kibana_objects": kibana_objects}
