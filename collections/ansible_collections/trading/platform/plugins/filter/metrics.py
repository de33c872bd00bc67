# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the roles that watch; the work is in module_utils/_metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.trading.platform.plugins.module_utils._metrics import exporters, routing, targets


def named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a filter: what is wrong with the input is told with the input's name."""

    def filtered(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise AnsibleFilterError(f"{name}: {exc}") from exc

    return filtered


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "alertmanager_config": named("alertmanager", routing.config),
            "alertmanager_routing": named("alertmanager", routing.accepted),
            "exporter_landed": named("exporter_on", exporters.landed),
            "exporter_targets": named("exporter_on", exporters.targets),
            "front_modules": named("exporter", targets.front_modules),
            "scrape_configs": named("prometheus_targets", targets.scrape_configs),
        }
