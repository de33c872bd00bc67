# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the postgres role; the work is in module_utils/_postgres."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.trading.platform.plugins.module_utils._postgres import hba, settings


def named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a filter: what is wrong with the input is told with the filter's name."""

    def filtered(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (AttributeError, TypeError, ValueError) as exc:
            raise AnsibleFilterError(f"{name}: {exc}") from exc

    return filtered


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "postgres_hba": named("postgres_hba", hba.lines),
            "postgres_settings": named("postgres_settings", settings.tuned),
            "postgres_settings_accepted": named("postgres_settings", settings.accepted),
        }
