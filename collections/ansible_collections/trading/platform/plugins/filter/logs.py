# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the logs' roles; the work is in module_utils/_logs and _elasticsearch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.trading.platform.plugins.module_utils._elasticsearch import users as realm
from ansible_collections.trading.platform.plugins.module_utils._logs import rules


def log_masks(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    try:
        return rules.masks(given)
    except ValueError as exc:
        raise AnsibleFilterError(f"log_masks: {exc}") from exc


def log_templates(
    given: Sequence[Mapping[str, Any]], environment: str, mappings: Mapping[str, Any], replicas: int
) -> dict[str, dict[str, Any]]:
    try:
        return rules.templates(given, environment, mappings, replicas)
    except (KeyError, ValueError) as exc:
        raise AnsibleFilterError(f"log_templates: {exc}") from exc


def elasticsearch_realm(given: Sequence[Mapping[str, Any]], roles: Mapping[str, Any], cluster: str) -> dict[str, str]:
    try:
        made = realm.files(given, list(roles), cluster)
    except (KeyError, ValueError) as exc:
        raise AnsibleFilterError(f"elasticsearch_realm: {exc}") from exc
    return {f"etc/elasticsearch/{name}": text for name, text in made.items()}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"log_masks": log_masks, "log_templates": log_templates, "elasticsearch_realm": elasticsearch_realm}
