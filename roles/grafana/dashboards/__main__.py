# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the dashboards' JSON, or tells what is in them.

usage: python -m roles.grafana.dashboards [--check | --queries | --panels]
  (nothing)   writes roles/grafana/files/dashboards/UID.json
  --check     writes nothing and exits 1 where a file is not what the Python says
  --queries   every query as JSON: dashboard, panel, legend, source, expr (as somebody can run it), may_be_empty
  --panels    uid/key, number and title of each panel, for links such as /d/UID?viewPanel=NUMBER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from . import BOARDS
from .files import drift, wanted, write
from .panels import by_hand


def queries() -> list[dict[str, Any]]:
    """Each query of each mark and panel. What is marked where it happens is not there in most minutes."""
    marks = [
        {
            "dashboard": board.uid,
            "panel": mark.key,
            "title": mark.title,
            "legend": mark.text,
            "source": "prometheus",
            "instant": False,
            "expr": by_hand(board.expand(mark.expression)),
            "may_be_empty": not mark.is_time,
        }
        for board in BOARDS
        for mark in board.marks
    ]
    return marks + [
        {
            "dashboard": board.uid,
            "panel": panel.key,
            "title": panel.title,
            "legend": legend,
            "source": {"logs": "logs", "alerts": "alertmanager"}.get(panel.kind, "prometheus"),
            "instant": panel.kind != "timeseries",
            "expr": by_hand(board.expand(expression)),
            "may_be_empty": panel.empty_when_good,
        }
        for board in BOARDS
        for panel in board.panels
        for legend, expression in panel.queries.items()
    ]


def say_queries() -> int:
    sys.stdout.write(json.dumps(queries(), indent=1) + "\n")
    return 0


def say_panels() -> int:
    for board in BOARDS:
        for panel in board.panels:
            sys.stdout.write(f"{board.uid}/{panel.key}\t{panel.number}\t{panel.title}\n")
    return 0


def check() -> int:
    problems = drift(wanted())
    for problem in problems:
        sys.stderr.write(f"dashboards: {problem}\n")
    return 1 if problems else 0


def renew() -> int:
    for path in write(wanted()):
        sys.stdout.write(f"wrote {path}\n")
    return 0


def main(words: list[str]) -> int:
    verbs: dict[str, Callable[[], int]] = {"--check": check, "--queries": say_queries, "--panels": say_panels}
    if not words:
        return renew()
    if len(words) == 1 and words[0] in verbs:
        return verbs[words[0]]()
    sys.stderr.write(str(__doc__))
    return 0 if words[0] in ("-h", "--help") else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
