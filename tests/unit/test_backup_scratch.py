# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill makes of what it finds, and what a restore beside production refuses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
LIB = ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform"
scratch = imported(LIB / "backup_scratch.py")
place, source = sys.modules["backup_place"], sys.modules["backup_source"]
report = scratch.backup_report
MIB = 1 << 20
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


# ----- positions


@pytest.mark.parametrize("lsn", ["0/0", "0/5000028", "0/FFFFFFFF", "A/1000000"])
def test_a_position_there_and_back(lsn: str) -> None:
    assert source.position(source.number(lsn)) == lsn


def test_a_position_in_its_log() -> None:
    assert source.segment(source.number("A/50000FF")) == "0000000A00000005"


def kept(last: str | None, database: int = 1) -> dict[str, Any]:
    return {"max": last, "database": {"id": database}}


@pytest.mark.parametrize(
    ("archive", "end"),
    [
        ([], "0/0"),
        ([kept(None)], "0/0"),
        ([kept("000000010000000000000007")], "0/8000000"),
        ([kept("0000000100000000000000FF")], "1/0"),
        # A second repository that lags behind.
        ([kept("000000010000000000000007"), kept("000000010000000000000005")], "0/8000000"),
        # The cluster of before an upgrade.
        ([kept("00000001000000AA00000007"), kept("000000010000000000000005", 2)], "0/6000000"),
    ],
)
def test_where_the_archive_ends(archive: list[dict[str, Any]], end: str) -> None:
    assert source.position(source.archived(archive)) == end


def made(label: str, stop: str, error: bool = False) -> dict[str, Any]:
    return {"label": label, "lsn": {"stop": stop}, "error": error, "timestamp": {"stop": 1000}, "info": {"size": 5}}


@pytest.mark.parametrize(
    ("sets", "label"),
    [
        ([made("a", "0/10"), made("b", "0/20")], "b"),
        ([made("a", "0/10"), made("b", "0/20"), made("c", "0/31")], "b"),
        ([made("a", "0/10"), made("b", "0/20", error=True)], "a"),
        ([made("a", "0/30")], "a"),
    ],
)
def test_the_newest_set_before_a_position(sets: list[dict[str, Any]], label: str) -> None:
    assert source.newest(sets, "0/30")["label"] == label


def test_no_set_before_a_position() -> None:
    with pytest.raises(scratch.Trouble, match=r"No set .* before 0/30: take a full backup"):
        source.newest([made("a", "0/31"), made("b", "0/10", error=True)], "0/30")


@pytest.mark.parametrize(
    ("kind", "value", "refusal"),
    [
        ("lsn", "0/10", None),
        ("lsn", "0/F", "lies before the end of set a"),
        ("time", "1970-01-01 00:16:40.000000+00", None),
        ("time", "1970-01-01 00:16:39.999999+00", "lies before the end of set a"),
        ("xid", "1", None),
        ("default", "", None),
    ],
)
def test_a_set_that_ends_after_the_moment(kind: str, value: str, refusal: str | None) -> None:
    target = place.Target("a", 1, kind, value)
    if refusal is None:
        assert source.sized([made("a", "0/10")], target) == 5
        return
    with pytest.raises(scratch.Trouble, match=refusal):
        source.sized([made("a", "0/10")], target)


def test_a_set_that_is_not_there() -> None:
    with pytest.raises(scratch.Trouble, match="no set b; there are: a"):
        source.sized([made("a", "0/10")], place.Target("b", 1, "default"))


@pytest.mark.parametrize(
    ("target", "more"),
    [
        (place.Target("a", 2, "default"), []),
        (place.Target("a", 2, "time", "now"), ["--target=now", "--target-action=promote"]),
        (
            place.Target("a", 2, "lsn", "0/1", exclusive=True),
            ["--target=0/1", "--target-action=promote", "--target-exclusive"],
        ),
    ],
)
def test_what_pgbackrest_gets(target: Any, more: list[str]) -> None:
    assert target.options == ["--set=a", f"--type={target.type}", "--target-timeline=2", *more]


def test_room_on_the_disk() -> None:
    place.lacking(100 * MIB, 111 * MIB, "/scratch")
    with pytest.raises(scratch.Trouble, match=rf"{10 * MIB} bytes \(0.01 GiB\) are missing"):
        place.lacking(100 * MIB, 100 * MIB, "/scratch")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("tx: 740, lsn: 0/1, desc: COMMIT 2026-11-21 12:00:00.5 UTC", ["2026-11-21 12:00:00.5"]),
        ("desc: COMMIT 2026-11-21 12:00:00.5 UTC; inval msgs: catcache 7", ["2026-11-21 12:00:00.5"]),
        ("desc: COMMIT_PREPARED 740: 2026-11-21 12:00:00.5 UTC", ["2026-11-21 12:00:00.5"]),
        ("desc: ABORT 2026-11-21 12:00:00.5 UTC", []),
    ],
)
def test_commits_of_a_log(line: str, found: list[str]) -> None:
    assert source.COMMIT.findall(line) == found


@pytest.mark.parametrize("text", ["plain", "o'clock", "''"])
def test_a_text_in_a_query(text: str) -> None:
    assert scratch.literal(text) == "'" + text.replace("'", "''") + "'"


# ----- judgement


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
