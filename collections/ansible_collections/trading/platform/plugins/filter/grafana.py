# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for Grafana's files; the work is in module_utils/_grafana."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.trading.platform.plugins.module_utils._grafana import provision


def grafana_sources(
    wanted: Sequence[Mapping[str, Any]],
    more: Sequence[Mapping[str, Any]],
    trust: Mapping[str, Any],
    shown: Mapping[str, str],
    secrets: str,
) -> list[dict[str, Any]]:
    try:
        return provision.data_sources(wanted, more, trust, shown, secrets)
    except (KeyError, TypeError, ValueError) as exc:
        raise AnsibleFilterError(f"grafana_sources: {exc}") from exc


def grafana_files(boards: Mapping[str, str], overview: Sequence[str], own: Mapping[str, str]) -> dict[str, str]:
    try:
        return provision.dashboards(boards, overview, own)
    except (TypeError, ValueError) as exc:
        raise AnsibleFilterError(f"grafana_files: {exc}") from exc


def grafana_secrets(places: Mapping[str, Mapping[str, Any] | None]) -> dict[str, str]:
    return provision.secrets(places)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "grafana_sources": grafana_sources,
            "grafana_files": grafana_files,
            "grafana_secrets": grafana_secrets,
        }
