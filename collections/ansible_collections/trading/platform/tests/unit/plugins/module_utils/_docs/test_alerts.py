# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._docs import alerts
from ansible_collections.trading.platform.plugins.module_utils._docs.tables import DocsError


@pytest.mark.parametrize(
    ("summary", "told"),
    [
        ("{{ $labels.instance }} is down", "HOST is down"),
        ("Disk {{$labels.mountpoint}} is {{ $value | humanizePercentage }} full", "Disk MOUNTPOINT is N % full"),
        ('{{ $value | printf "%.0f" }} days', "N days"),
        ('{{ $labels.rule_group | reReplaceAll ".*;" "" }} fails', "RULE_GROUP fails"),
        ("Plain", "Plain"),
    ],
)
def test_words(summary: str, told: str) -> None:
    assert alerts.words(summary) == told


def rule(**changes: Any) -> dict[str, Any]:
    said = {"summary": "{{ $labels.instance }} is down", "runbook": "docs/runbooks/hosts.md#down"}
    return {"alert": "Down", "expr": "up\n == 0", "labels": {"severity": "critical"}, "annotations": said, **changes}


def test_render() -> None:
    groups = [{"name": "hosts", "rules": [rule(), rule(alert="Slow", expr='x{a=~"b|c"} ' * 20, **{"for": "5m"})]}]
    recorded = [{"name": "r", "rules": [{"record": "a:b:c", "expr": "1"}]}]
    assert alerts.render({"hosts": groups, "recording": recorded}).splitlines() == [
        "## hosts",
        "",
        "| Alert | Severity | For | When |",
        "|---|---|---|---|",
        "| [Down](runbooks/hosts.md#down) | critical | at once | HOST is down<br>`up == 0` |",
        "| [Slow](runbooks/hosts.md#down) | critical | 5m | HOST is down |",
        "",
        "## Recorded series",
        "",
        "- `a:b:c`",
    ]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(DocsError, match=r"hosts\.yml: alert Down has no severity; add it"):
        alerts.render({"hosts": [{"rules": [rule(labels={})]}]})
