# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of alerts and recorded series from Prometheus' rule files. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.trading.platform.plugins.module_utils._docs.tables import DocsError, cell

_TEMPLATE = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_LABEL = re.compile(r"\$labels\.(\w+)")
# A longer condition tells a reader of a table nothing.
_SHORT = 110


def words(summary: str) -> str:
    """A summary with names in the places that an alert fills: HOST for the host, N for the value."""

    def named(match: re.Match[str]) -> str:
        label = _LABEL.search(match.group(1))
        if label:
            return "HOST" if label.group(1) == "instance" else label.group(1).upper()
        return "N %" if "humanizePercentage" in match.group(1) else "N"

    return _TEMPLATE.sub(named, summary)


def condition(rule: Mapping[str, Any]) -> str:
    expr = " ".join(str(rule["expr"]).split())
    told = cell(words(rule["annotations"]["summary"]))
    return f"{told}<br>`{cell(expr)}`" if len(expr) <= _SHORT else told


def _rules(groups: Iterable[Mapping[str, Any]], kind: str) -> Iterator[Mapping[str, Any]]:
    return (rule for group in groups for rule in group["rules"] if kind in rule)


def render(topics: Mapping[str, Iterable[Mapping[str, Any]]]) -> str:
    """Tables by topic; `topics` has the rule groups of each file."""
    lines: list[str] = []
    for topic, groups in topics.items():
        alerts = list(_rules(groups, "alert"))
        if not alerts:
            continue
        lines += [f"## {topic}", "", "| Alert | Severity | For | When |", "|---|---|---|---|"]
        for rule in alerts:
            try:
                runbook = str(rule["annotations"]["runbook"]).removeprefix("docs/")
                severity, told = rule["labels"]["severity"], condition(rule)
            except KeyError as error:
                raise DocsError(f"{topic}.yml: alert {rule['alert']} has no {error.args[0]}; add it") from error
            lines.append(f"| [{rule['alert']}]({runbook}) | {severity} | {rule.get('for', 'at once')} | {told} |")
        lines.append("")
    records = [rule["record"] for groups in topics.values() for rule in _rules(groups, "record")]
    lines += ["## Recorded series", "", *(f"- `{name}`" for name in records), ""]
    return "\n".join(lines)
