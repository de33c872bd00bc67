# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a target to set, timeline and WAL, over an archive that is only a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest import planning, wal
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.archive import Archive
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.journal import Journal
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.objects import Archived, Listing
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.stanza import Set, Stanza
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.wal import BackupError, Commit

# Timeline 1 has segments 2 to 9 and commits in 3, 6 and 9; 2 left it in segment 6 and has commits in 8.
COMMITS = {(1, 3): (3, 701), (1, 6): (6, 702), (1, 9): (9, 703), (2, 8): (18, 704)}
HISTORIES = {2: "1\t0/6000800\tx\n"}
NAMES = [wal.name(1, one) for one in range(2, 10)] + [wal.name(2, one) for one in range(6, 9)]


def at(minute: int) -> str:
    return datetime(2026, 11, 21, 12, minute, tzinfo=UTC).isoformat()


class Table(Archive):
    def __init__(self, lost: int = 0) -> None:
        names = [name for name in NAMES if wal.number(name) != lost]
        self.listing = Listing({name: (Archived(name, ""),) for name in names}, {}, {})
        self.histories = HISTORIES
        self.looked = 0
        self._bounds = {}

    def commits(self, name: str) -> list[Commit]:
        found = COMMITS.get((wal.timeline_of(name), wal.number(name)))
        if found is None:
            return []
        minute, xid = found
        lsn = wal.number(name) * wal.SEGMENT + 0x900
        return [Commit(xid, lsn, datetime.fromisoformat(at(minute)))]

    def dump(self, name: str, *filters: str) -> str:
        position = wal.write_lsn(wal.number(name) * wal.SEGMENT + 0x900)
        point = "deploy" if wal.number(name) in (3, 7) else "other"
        return f"lsn: {position}, prev 0/0, desc: RESTORE_POINT {point}\n"


def backup(label: str, minute: int, timeline: int, segment: int) -> Set:
    stop = wal.write_lsn(segment * wal.SEGMENT + 0x100)
    name = wal.name(timeline, segment)
    return Set(label, "full", None, at(minute), at(minute), stop, stop, name, name, 1, 1, False, timeline, 1)


SETS = (backup("A", 1, 1, 2), backup("B", 7, 1, 7), backup("C", 15, 2, 7))
STANZA = Stanza("main", 1, 0, "ok", False, 1, "77", "15", SETS, ())


def wanted(kind: str, value: str | None, timeline: int | None) -> planning.Wanted:
    return planning.Wanted({"type": kind, "value": value or ""}, timeline, Path("/x"), delta=False, prove=False)


@pytest.mark.parametrize(
    ("kind", "value", "timeline", "label", "on", "restore", "last"),
    [
        ("time", at(2), None, "A", 1, "time 2026-11-21 12:02:00.000000+00", wal.name(1, 3)),
        ("time", at(5), None, "A", 1, "time 2026-11-21 12:05:00.000000+00", wal.name(1, 6)),
        ("time", at(8), None, "B", 1, "time 2026-11-21 12:08:00.000000+00", wal.name(1, 9)),
        ("time", at(9), None, "B", 1, "lsn 0/9000900", wal.name(1, 9)),
        ("time", at(17), 2, "C", 2, "time 2026-11-21 12:17:00.000000+00", wal.name(2, 8)),
        ("time", at(18), None, "C", 2, "lsn 0/8000900", wal.name(2, 8)),
        ("time", at(14), 2, "A", 2, "time 2026-11-21 12:14:00.000000+00", wal.name(2, 8)),
        ("latest", None, None, "C", 2, "default ", wal.name(2, 8)),
        ("latest", None, 1, "B", 1, "default ", wal.name(1, 9)),
        ("xid", "704", None, "C", 2, "xid 704", wal.name(2, 8)),
        ("xid", "703", 1, "B", 1, "xid 703", wal.name(1, 9)),
        ("xid", "701", None, "A", 1, "xid 701", wal.name(1, 3)),
        ("name", "deploy", None, "C", 2, "lsn 0/7000900", wal.name(2, 7)),
        ("lsn", "0/8000900", None, "C", 2, "lsn 0/8000900", wal.name(2, 8)),
        ("lsn", "0/5000000", None, "A", 1, "lsn 0/5000000", wal.name(1, 5)),
    ],
)
def test_choice(*, kind: str, value: str, timeline: int | None, label: str, on: int, restore: str, last: str) -> None:
    found = planning.choose(Table(), STANZA, wanted(kind, value, timeline))
    assert (found.set.label, found.spans[-1].timeline, found.last_segment) == (label, on, last)
    assert f"{found.type} {found.target}" == restore


@pytest.mark.parametrize(
    ("kind", "value", "timeline", "says"),
    [
        ("time", at(0), None, "before the end of the first backup on timeline 1: the earliest .* 2026-11-21T12:01:01"),
        ("time", at(30), None, "the latest that can be restored is 2026-11-21T12:18:00"),
        ("time", at(10), 1, "the latest that can be restored is 2026-11-21T12:09:00"),
        ("time", at(12), None, "nothing ran: .* timeline: 2"),
        ("time", "2026-11-21 12:00:00", None, "no zone"),
        ("time", None, None, "target of type time needs a value"),
        ("xid", "703", None, "no commit of transaction 703 on timeline 2"),
        ("xid", "7o3", None, "is no transaction id"),
        ("name", "nix", None, "no restore point 'nix'"),
        ("lsn", "0/9000900", None, "after the end of the archived WAL on timeline 2: the latest is 0/8000900"),
        ("lsn", "0/2000000", None, "before the end of the first backup"),
        ("latest", None, 3, "timeline 3 is unknown; the archive knows 1, 2"),
    ],
)
def test_refused(kind: str, value: str, timeline: int | None, says: str) -> None:
    with pytest.raises(BackupError, match=says + r".*Nothing was changed\.$"):
        planning.choose(Table(), STANZA, wanted(kind, value, timeline))


@pytest.mark.parametrize(("lost", "refused"), [(0, False), (5, True), (8, False)])
def test_gap_before_the_target(lost: int, refused: bool) -> None:
    archive = Table(lost)
    found = planning.choose(archive, STANZA, wanted("time", at(5), None))
    if not refused:
        assert len(planning.archived_path(archive, found.spans, found.set, found.last_segment)) == 5
        return
    with pytest.raises(BackupError, match="has a gap: 000000010000000000000005 is missing") as error:
        planning.archived_path(archive, found.spans, found.set, found.last_segment)
    assert error.value.details == {"missing": ["000000010000000000000005"]}


class Damaged:
    """A repository in which no manifest of these sets can be read."""

    def __init__(self, labels: str) -> None:
        self.labels = labels

    def content(self, path: str) -> str:
        if path.split("/")[2] in self.labels:
            raise BackupError("unable to open")
        return ""


@pytest.mark.parametrize(
    ("damaged", "taken"), [("", "B"), ("B", "A"), ("C", "B")], ids=["none", "the nearest", "one that is not needed"]
)
def test_an_older_set_is_taken_where_the_nearest_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, damaged: str, taken: str
) -> None:
    found = proven(monkeypatch, damaged)
    assert found["set"] == taken
    assert ("so an older one is taken" in found["lines"][0]) == (damaged == "B")


def test_the_nearest_set_is_named_where_no_other_leads_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackupError, match="set B cannot be read"):
        proven(monkeypatch, "AB")


def proven(monkeypatch: pytest.MonkeyPatch, damaged: str) -> dict[str, Any]:
    monkeypatch.setattr(planning, "read_manifest", lambda *_: {})
    client, archive = cast("Any", Damaged(damaged)), Table()
    client.listing = client.says_damaged = lambda _: {}
    archive.problem, archive.work = lambda *_: "", Path("/x")  # type: ignore[method-assign]
    target = replace(wanted("time", at(8), None), prove=True, data_directory=Path("/"))
    monkeypatch.setattr(planning, "enough", lambda _: None)
    return planning.plan(client, STANZA, archive, target, Journal(None))
