# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill makes of what it finds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_scratch.py")
report: Any = sys.modules["backup_report"]
CHECK = {"name": "no problem", "database": "trading", "query": "select", "answer": ""}
GOOD: dict[str, Any] = {
    "stanza": "trading",
    "host": "db2",
    "when": "2026-11-21T05:00:00+00:00",
    "end": 9.0,
    "ok": True,
    "rto_max": 900,
    "rpo_max": 300,
    "rto_seconds": 61.5,
    "rpo_seconds": 12.0,
    "rows": [{"table": "trading: ledger.entries", "source": 7, "restored": 7}],
    "checks": [{"name": "no problem", "ok": True, "source": "", "restored": ""}],
}


def test_rows_of_both_sides() -> None:
    assert report.compared({"a": 1, "b": 2}, {"b": 3, "c": 4}) == [
        {"table": "a", "source": 1, "restored": None},
        {"table": "b", "source": 2, "restored": 3},
        {"table": "c", "source": None, "restored": 4},
    ]


@pytest.mark.parametrize(
    ("check", "source", "restored", "ok"),
    [
        (CHECK, "", "", True),
        (CHECK, "", "x", False),
        # The same on both sides, and wrong: the source itself is broken.
        (CHECK, "x", "x", False),
        ({**CHECK, "answer": "t"}, "t", "t", True),
        ({key: value for key, value in CHECK.items() if key != "answer"}, "x", "x", True),
        ({key: value for key, value in CHECK.items() if key != "answer"}, "x", "y", False),
    ],
)
def test_answers_of_both_sides(check: dict[str, str], source: str, restored: str, ok: bool) -> None:
    name = check["name"]
    assert report.checked([check], {name: source}, {name: restored})[0]["ok"] is ok


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"message": "no room"}, "It did not come to its end: no room"),
        ({"rows": [{"table": "t", "source": 7, "restored": 6}]}, "t: 7 rows at the source, 6 rows restored."),
        ({"rows": [{"table": "t", "source": 7, "restored": None}]}, "t: 7 rows at the source, no such table restored."),
        ({"checks": [{"name": "sum", "ok": False, "source": "1", "restored": "2"}]}, "The check 'sum' failed."),
        ({"rto_seconds": 900.1}, "Recovering took 900.1 s, more than the 900 s that are allowed."),
        ({"rpo_seconds": 301}, "The oldest commit not archived was of 301 s, more than the 300 s that are allowed."),
    ],
)
def test_what_makes_a_drill_fail(changed: dict[str, Any], said: str) -> None:
    assert report.verdict(GOOD | changed) == ["The drill FAILED.", said]


def test_a_good_drill() -> None:
    assert report.problems(GOOD) == []
    assert report.verdict(GOOD) == [
        "The drill succeeded: 7 rows in 1 tables came back as they were.",
        "Back within 61.5 s (allowed: 900); 12.0 s of commits at risk (allowed: 300).",
    ]


def test_a_drill_that_saw_nothing_has_not_succeeded() -> None:
    assert "FAILED" in report.verdict(GOOD | {"rows": []})[0]


def test_metrics_leave_out_what_was_not_measured() -> None:
    early = {key: value for key, value in GOOD.items() if not key.endswith("_seconds")} | {"ok": False}
    assert report.metrics(early, None).splitlines() == [
        "trading_drill_last_end_timestamp_seconds 9.0",
        "trading_drill_ok 0.0",
    ]
    assert "trading_drill_rto_seconds 61.5\ntrading_drill_rpo_seconds 12.0\n" in report.metrics(GOOD, 9.0)
    assert "trading_drill_last_success_timestamp_seconds 8.0\n" in report.metrics(early, 8.0)


def test_a_page_of_a_drill() -> None:
    odd = {"name": "<b>", "ok": False, "source": "&" * 300, "restored": "<script>"}
    page = report.page(GOOD | {"checks": [odd], "verdict": ["1 < 2"], "ok": False})
    assert "<b>" not in page
    assert "<script>" not in page
    assert "&amp;" * 200 + "<" in page
    assert "1 &lt; 2" in page
    assert 'class="verdict bad"' in page
    assert "2026-11-21 05:00:00 UTC" in page


def test_a_page_of_a_drill_that_hardly_began() -> None:
    page = report.page({**GOOD, "rows": [], "checks": [], "verdict": ["The drill FAILED."], "ok": False})
    assert "The drill FAILED." in page
