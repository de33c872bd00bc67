# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probe concludes from a journal: every acceptance figure of the data layer stands on this."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from ledger import figures
from ledger.journal import ACKNOWLEDGED, FAILED, UNKNOWN, Entry, Journal, Told, parse, read

HEAD = {"kind": "postgres", "run": "00112233445566aa", "began": 10.0}


def told(*entries: tuple[str, float, str] | tuple[str, float, str, str], tail: dict[str, Any] | None = None) -> Told:
    return Told(HEAD, {"ended": 20.0} if tail is None else tail, [Entry(*entry) for entry in entries])


@pytest.mark.parametrize(
    ("stage", "sqlstate", "kind"),
    [
        ("connect", None, "not_sent"),
        ("connect", "28P01", "not_sent"),
        ("body", None, "refused"),
        ("body", "57P01", "refused"),
        ("body", "25006", "refused"),
        # The connection broke with COMMIT under way.
        ("commit", None, "unknown"),
        # "terminating connection": the commit record may be on disk, only the standby has not answered.
        ("commit", "57P01", "unknown"),
        ("commit", "57014", "unknown"),
        ("commit", "08P01", "unknown"),
        ("commit", "40003", "unknown"),
        ("commit", "40001", "refused"),
        ("commit", "23505", "refused"),
    ],
)
def test_classify(stage: str, sqlstate: str | None, kind: str) -> None:
    assert figures.classify(stage, sqlstate) == kind


@pytest.mark.parametrize(
    ("times", "longest", "at", "noticed"),
    [
        ([11.0, 11.1, 13.6, 13.7, 19.9], 6.2, 13.7, [(11.1, 2.5, False), (13.7, 6.2, False)]),
        # Order of arrival in the journal is not order in time.
        ([13.6, 11.1, 11.0], 6.4, 13.6, [(11.1, 2.5, False), (13.6, 6.4, True)]),
        # An outage until the end is an outage.
        ([10.1, 10.2], 9.8, 10.2, [(10.2, 9.8, True)]),
        ([], 10.0, 10.0, [(10.0, 10.0, True)]),
    ],
)
def test_gaps(times: list[float], longest: float, at: float, noticed: list[tuple[float, float, bool]]) -> None:
    found = figures.gap_figures(times, 10.0, 20.0)
    assert found["longest_gap_s"] == pytest.approx(longest)
    assert found["longest_gap_at"] == pytest.approx(at)
    assert [(gap["at"], gap["s"], gap["open"]) for gap in found["gaps"]] == [pytest.approx(gap) for gap in noticed]


def test_a_short_gap_is_no_line_in_the_timeline() -> None:
    found = figures.gap_figures([10.0 + 0.4 * step for step in range(26)], 10.0, 20.0)
    assert found["longest_gap_s"] == pytest.approx(0.4)
    assert found["gaps"] == []


def test_all_is_well() -> None:
    found = figures.figures(told((ACKNOWLEDGED, 11.0, "a"), (ACKNOWLEDGED, 12.0, "b")), {"a": 1, "b": 1})
    wrong = ("lost", "doubled", "unknown", "unjournaled", "refused_present", "failed_transactions")
    assert [found[name] for name in wrong] == [0] * len(wrong)
    assert (found["acknowledged"], found["commits_per_s"], found["complete"]) == (2, 1.0, True)


@pytest.mark.parametrize(
    ("entries", "present", "expected"),
    [
        ([(ACKNOWLEDGED, 11.0, "a")], {}, {"lost": 1, "lost_references": ["a"], "lost_first_at": 11.0}),
        (
            [(ACKNOWLEDGED, 11.0, "a"), (ACKNOWLEDGED, 11.7, "b"), (ACKNOWLEDGED, 12.5, "c")],
            {"b": 1},
            {"lost": 2, "lost_span_s": 1.5, "lost_references": ["a", "c"]},
        ),
        ([(ACKNOWLEDGED, 11.0, "a")], {"a": 2}, {"lost": 0, "doubled": 1, "doubled_references": ["a"]}),
        (
            [(UNKNOWN, 11.0, "a"), (UNKNOWN, 11.0, "b")],
            {"b": 1},
            {"lost": 0, "unknown": 2, "unknown_present": 1, "unjournaled": 0, "failed_transactions": 2},
        ),
        # Refused means known not to be there; if it is, the classification lies.
        ([(FAILED, 11.0, "a", "refused")], {"a": 1}, {"refused_present": 1, "failed_transactions": 1}),
        # It waited for a connection, then went through: an error was seen, and it is there.
        (
            [(FAILED, 11.0, "a", "not_sent"), (ACKNOWLEDGED, 12.0, "a")],
            {"a": 1},
            {"lost": 0, "failed_transactions": 1, "refused_present": 0, "unjournaled": 0},
        ),
        ([], {"z": 1}, {"unjournaled": 1, "lost": 0}),
    ],
)
def test_compare(entries: list[Any], present: dict[str, int], expected: dict[str, Any]) -> None:
    found = figures.compare(told(*entries), present)
    assert {name: found[name] for name in expected} == expected


def test_a_killed_probe_ended_with_its_last_line() -> None:
    found = figures.figures(told((ACKNOWLEDGED, 11.0, "a"), (ACKNOWLEDGED, 14.0, "b"), tail={}), {"a": 1, "b": 1})
    assert (found["complete"], found["ended"], found["longest_gap_s"]) == (False, 14.0, 3.0)


def test_journal_reads_back_what_it_wrote(tmp_path: Path) -> None:
    book = Journal(tmp_path / "journal", HEAD)
    book.add(ACKNOWLEDGED, 11.25, "a", took=0.125)
    book.add(FAILED, 12.5, "b", "refused")
    book.close({"ended": 20.0})
    again = read(tmp_path / "journal")
    assert (again.head, again.tail) == (HEAD, {"ended": 20.0})
    assert again.entries == [Entry(ACKNOWLEDGED, 11.25, "a", took=0.125), Entry(FAILED, 12.5, "b", "refused")]


def test_half_a_line_is_no_acknowledgement() -> None:
    assert parse(["A\t1.0\ta\t\t0.0\n", "A\t1.1\tb"]).entries == [Entry(ACKNOWLEDGED, 1.0, "a")]


def test_a_run_is_one_range_of_references() -> None:
    first, last = figures.reference_range(HEAD["run"])  # type: ignore[arg-type]
    inside = figures.reference_of("00112233445566aa", 7, 4711)
    assert str(uuid.UUID(inside)) == inside
    assert first < inside < last
    assert not first < figures.reference_of("00112233445566ab", 0, 0) < last


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Key (reference)=(00112233-4455-66aa-0007-000000001267)", "Key (reference)=(REFERENCE)"),
        ("Process 4711 waits\n  for transaction 815", "Process N waits for transaction N"),
        ('server at "127.0.0.1", port 6432 failed', 'server at "127.0.0.1", port 6432 failed'),
    ],
)
def test_errors_of_one_kind_have_one_text(text: str, expected: str) -> None:
    assert figures.normal(text) == expected


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([[0, 0], [50, 50], [100, 100], [150, 150]], False),
        ([[0, 0], [50, 50], [100, 100], [150, 150], [200, 200]], True),
        # One of them does not take part.
        ([[0, 0], [50, 50], [100, 100], [150, 100], [200, 100]], False),
        # Still getting faster.
        ([[0, 0], [5, 5], [10, 10], [90, 90], [170, 170]], False),
    ],
)
def test_steady(counts: list[list[int]], expected: bool) -> None:
    assert figures.steady(counts) is expected


def node(name: str, *tries: tuple[float, str]) -> figures.NodeStory:
    return figures.node_story(name, [Entry(letter, at, str(at)) for at, letter in tries], most=0.5)


def acks(begin: float, end: float) -> list[tuple[float, str]]:
    return [(round(begin + step / 10, 1), ACKNOWLEDGED) for step in range(round((end - begin) * 10) + 1)]


def test_a_handover_is_no_overlap() -> None:
    one = node("db1", *acks(1, 3), (3.1, FAILED), (13.1, UNKNOWN))
    two = node("db2", (1.0, FAILED), *acks(3.2, 9))
    found = figures.compare_nodes([one, two], injected=2.5)
    assert (found["overlap_s"], found["interleaved"]) == (0, 0)
    assert found["nodes"]["db1"]["last_ack_s"] == 0.5
    assert found["nodes"]["db2"]["first_ack_s"] == pytest.approx(0.7)
    assert found["nodes"]["db2"]["intervals"] == [{"from_s": 0.7, "to_s": 6.5, "writes": 59}]


def test_two_writable_nodes() -> None:
    found = figures.compare_nodes([node("db1", *acks(1, 5)), node("db2", *acks(4.05, 9))])
    assert found["overlap_s"] == pytest.approx(0.95, abs=0.06)
    assert found["interleaved"] > 10


def test_one_late_acknowledgement_is_enough() -> None:
    """A COMMIT that hung on the isolated node and was let through after the other was promoted."""
    found = figures.compare_nodes([node("db1", *acks(1, 3), (7.05, ACKNOWLEDGED)), node("db2", *acks(5, 9))])
    assert (found["overlap_s"], found["interleaved"]) == (0, 1)


def test_a_failed_try_ends_an_interval() -> None:
    story = node("db1", *acks(1, 2), (2.05, FAILED), *acks(2.1, 3))
    assert [(one.begin, one.end) for one in story.intervals] == [(1, 2), (2.1, 3)]
