# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which set and which timeline hold a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest import choice, wal
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.stanza import Set
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.wal import BackupError, Commit, Span

# 1 until 12:10, restored to 12:05 as 2; 2 until 12:20, restored to 12:08 of 1 as 3; 3 failed over to 4 at 12:30.
HISTORIES = {
    2: "1\t0/3000500\tx\n",
    3: "1\t0/3000800\tx\n",
    4: "1\t0/3000800\tx\n3\t0/6000000\tx\n",
}
SEGMENTS = [wal.name(timeline, 3) for timeline in (1, 2, 3)] + [wal.name(4, 6)]


def at(minute: float) -> datetime:
    return datetime(2026, 11, 21, 12, int(minute), int(minute % 1 * 60), tzinfo=UTC)


def commit(minute: float, lsn: int) -> Commit:
    return Commit(700, lsn, at(minute))


BOUNDS: dict[int, choice.Bounds] = {
    1: (commit(0, 0x2000000), commit(9, 0x3000900)),
    2: (commit(11, 0x3000600), commit(19, 0x4000000)),
    3: (commit(22, 0x3000900), commit(29, 0x5FFFF00)),
    4: (commit(32, 0x6000100), commit(40, 0x7000000)),
}


def backup(label: str, minute: int, timeline: int, stop: str, error: bool = False) -> Set:
    moment = at(minute).isoformat()
    segment = wal.name(timeline, wal.read_lsn(stop) // wal.SEGMENT)
    return Set(label, "full", None, moment, moment, stop, stop, segment, segment, 1, 1, error, timeline, 1)


SETS = [
    backup("A", 1, 1, "0/2000100"),
    backup("B", 7, 1, "0/3000700"),
    backup("C", 13, 2, "0/3000900"),
    backup("D", 33, 4, "0/6000200"),
]


def lineage(timeline: int | None = None) -> tuple[Sequence[Span], list[int]]:
    return choice.chosen_lineage(timeline, HISTORIES, SEGMENTS)


@pytest.mark.parametrize(
    ("minute", "timeline"),
    [
        (4, 1),
        (8.5, 1),  # beyond the branch of 3, which no younger timeline holds
        (9, 1),
        (22, 3),
        (25, 3),
        (30.5, 4),  # between the last commit and a failover nothing was left behind
        (32, 4),
        (40, 4),
    ],
)
def test_timeline_of_a_time(minute: float, timeline: int) -> None:
    spans, known = lineage()
    assert choice.timeline_at(at(minute), spans, BOUNDS.__getitem__, known) == timeline


@pytest.mark.parametrize(
    ("minute", "says"),
    [
        (41, r"after the end of the archived WAL: the latest that can be restored is 2026-11-21T12:40:00\+00:00"),
        (15, "the cluster was on timeline 2, which a later restore left: the present one, 4.*Say timeline: 2"),
        (21, "nothing ran: the last commit on timeline 1 is of 2026-11-21T12:09.*then a restore began timeline 3"),
    ],
)
def test_no_timeline_of_a_time(minute: float, says: str) -> None:
    spans, known = lineage()
    with pytest.raises(BackupError, match=says + r".* Nothing was changed\.$"):
        choice.timeline_at(at(minute), spans, BOUNDS.__getitem__, known)


def test_timeline_without_commits_is_passed_over() -> None:
    spans, known = lineage()
    bounds = BOUNDS | {4: (None, None)}
    assert choice.timeline_at(at(25), spans, bounds.__getitem__, known) == 3
    with pytest.raises(BackupError, match="raise max_segments"):
        choice.timeline_at(at(25), spans, lambda _timeline: (None, None), known)


@pytest.mark.parametrize(
    ("timeline", "minute", "label"),
    [
        (1, 8, "B"),
        (1, 7.5, "B"),
        (1, 6, "A"),
        (2, 12, "A"),  # B was taken beyond the branch
        (2, 14, "C"),
        (3, 25, "B"),
        (4, 32, "B"),
        (4, 39, "D"),
    ],
)
def test_set(timeline: int, minute: float, label: str) -> None:
    spans, _known = lineage(timeline)
    found = choice.set_for(SETS, spans, "it", lambda one: one.usable_from <= at(minute).timestamp())
    assert found.label == label


@pytest.mark.parametrize(
    ("sets", "timeline", "minute", "says"),
    [
        (SETS, 1, 1, r"before the end of the first backup .* earliest .* 2026-11-21T12:01:01\+00:00 .*0/2000100"),
        (SETS[3:], 1, 8, "no backup lies on timeline 1 or what it comes from"),
        (SETS[1:2], 2, 12, "was taken after it branched off"),
        ([replace(SETS[0], error=True)], 1, 8, "wrong page checksums are not used: A"),
    ],
)
def test_no_set(sets: list[Set], timeline: int, minute: float, says: str) -> None:
    spans, _known = lineage(timeline)
    with pytest.raises(BackupError, match=says + r".* Nothing was changed\.$"):
        choice.set_for(sets, spans, "the target", lambda one: one.usable_from <= at(minute).timestamp())


@pytest.mark.parametrize(
    ("timeline", "histories", "segments", "says"),
    [
        (7, HISTORIES, SEGMENTS, "timeline 7 is unknown; the archive knows 1, 2, 3, 4"),
        (None, {}, [], "the archive holds no WAL"),
        (None, {}, [wal.name(2, 1)], r"lacks 00000002\.history"),
    ],
)
def test_no_lineage(timeline: int | None, histories: dict[int, str], segments: list[str], says: str) -> None:
    with pytest.raises(BackupError, match=says):
        choice.chosen_lineage(timeline, histories, segments)


@pytest.mark.parametrize(("lsn", "timeline"), [(0x2000000, 1), (0x3000800, 3), (0x5000000, 3), (0x6000001, 4)])
def test_owner(lsn: int, timeline: int) -> None:
    spans, _known = lineage()
    assert choice.owner(lsn, spans).timeline == timeline


def test_ancestor_goes_on_beyond_the_branch() -> None:
    spans, _known = lineage()
    assert choice.upto(3, spans) == (Span(1, 0, 0x3000800), Span(3, 0x3000800))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-21 12:00:00+00:00", "2026-11-21 12:00:00.000000+00"),
        ("2026-11-21T12:00:00.5Z", "2026-11-21 12:00:00.500000+00"),
        ("2026-11-21 13:00:00.123456+01", "2026-11-21 12:00:00.123456+00"),
    ],
)
def test_moment(text: str, written: str) -> None:
    assert choice.write_moment(choice.read_moment(text)) == written


@pytest.mark.parametrize("text", ["2026-11-21 12:00:00", "2026-11-21", "2026-11-21 12:00+00:00", "noon", ""])
def test_no_moment(text: str) -> None:
    with pytest.raises(BackupError, match=r"write it as 2026-11-21 12:00:00\+00:00"):
        choice.read_moment(text)
