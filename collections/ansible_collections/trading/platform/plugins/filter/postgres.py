# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the postgres role; the work is in module_utils/_postgres."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.trading.platform.plugins.module_utils._postgres import settings as pure


def settings(  # noqa: PLR0917
    memory_mb: int,
    cores: int,
    disk: str = "ssd",
    version: int | str = 15,
    overrides: Mapping[str, Any] | None = None,
    memory_share: float = 1.0,
) -> dict[str, Any]:
    try:
        return pure.tuned(memory_mb, cores, disk, version, overrides, memory_share)
    except (TypeError, ValueError) as exc:
        raise AnsibleFilterError(f"postgres_settings: {exc}") from exc


def setting_problems(overrides: Mapping[str, Any], version: int | str) -> list[str]:
    try:
        return pure.setting_problems(overrides, version)
    except (AttributeError, TypeError, ValueError) as exc:
        raise AnsibleFilterError(f"postgres_setting_problems: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgres_settings": settings, "postgres_setting_problems": setting_problems}
