# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of a restore after a disaster: what is back, until when, and how long it took."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
program: Any = imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_proof.py")
BEGAN = 1_800_000_000.0
LAST = "2027-01-15 07:59:20.500+00"


def test_the_largest_tables_are_named() -> None:
    counts = {f"trading: t.t{number}": number for number in range(7)}
    said = program.rows(counts)
    assert said.startswith("back: 21 rows in 7 tables, most of them in trading: t.t6 6, trading: t.t5 5, ")
    assert said.endswith(", trading: t.t2 2")
    assert program.rows({}) == "back: 0 rows in 0 tables, most of them in none"


@pytest.mark.parametrize(
    ("wanted", "answer", "says"),
    [
        ({"answer": ""}, "", "check: whole: as it should be"),
        ({"answer": ""}, "12|order", "check: whole: FAILED, the answer is '12|order'"),
        # Nothing to compare with.
        ({}, "12", "answer: whole: 12"),
    ],
)
def test_checks(wanted: dict[str, str], answer: str, says: str) -> None:
    assert program.check({"name": "whole", **wanted}, {"whole": answer}) == says


@pytest.mark.parametrize(
    ("at", "last", "lines"),
    [
        # Brought back by this run, or by one before it that was stopped: the loss is before either.
        (
            BEGAN + 100,
            BEGAN - 40,
            [f"until: the last transaction is of {LAST}; what came later is not there", "rpo at most 40.0 s"],
        ),
        (BEGAN - 600, BEGAN - 640, [f"until: the last transaction is of {LAST}; ", "rpo at most 40.0 s"]),
        (BEGAN + 100, None, ["until: the last transaction is of the backup itself; "]),
        # Another disaster's, or none.
        (BEGAN - 90_000, BEGAN - 90_040, ["until: now; the database was there"]),
        (None, None, ["until: now; the database was there"]),
    ],
)
def test_until_when(at: float | None, last: float | None, lines: list[str]) -> None:
    note = {"at": at, "last_commit": LAST if last else None, "last_commit_at": last} if at else {}
    told = list(program.until(note, BEGAN))
    assert len(told) == len(lines)
    for line, begins in zip(told, lines, strict=True):
        assert line.startswith(begins)


@pytest.mark.parametrize(
    ("served", "says"),
    [
        (
            BEGAN + 412,
            "rto 412.0 s (allowed: 900), from the start of this run until the application answered; all of it took 980",
        ),
        (BEGAN + 950, "rto 950.0 s (MORE than the 900 s that are allowed), from the start"),
        (0, "rto not measured: the front door shows its maintenance page; the run took 980.0 s"),
    ],
)
def test_how_long_it_took(served: float, says: str) -> None:
    assert program.took(BEGAN, served, BEGAN + 980, 900).startswith(says)


class Database:
    """A session that answers each question of the proof."""

    asked: ClassVar[list[str]] = []

    def __init__(self, database: str, _port: str) -> None:
        self.database = database

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ask(self, query: str) -> str:
        self.asked.append(f"{self.database}: {query}")
        if "datname" in query:
            return '["postgres", "trading"]'
        if "json_object_agg" in query:
            return '{"ledger.entries": 12}' if self.database == "trading" else "{}"
        return "12|order" if "problems" in query else ""


@pytest.mark.parametrize(("query", "good"), [("select 1 where false", True), ("select * from ledger.problems", False)])
def test_all_of_it_is_told_also_where_a_check_fails(
    query: str, good: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "Session", Database)
    monkeypatch.setattr(program, "RECOVERED", tmp_path / "recovered.json")
    drill = {"checks": [{"name": "whole", "database": "trading", "query": query, "answer": ""}], "rto": 900}
    told = SimpleNamespace(postgres_port=5432, drill=drill)
    assert program.proved(told, BEGAN, BEGAN + 412) is good
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ", 1)[0] for line in lines] == ["back:", "check:", "until:", "rto"]
    assert "12 rows in 1 tables" in lines[0]
    # What is counted and what is asked are of one moment.
    assert Database.asked.index("trading: begin isolation level repeatable read, read only") < Database.asked.index(
        f"trading: {query}"
    )
