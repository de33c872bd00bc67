# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WAL names, histories, and lines of pg_waldump."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest import wal
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.wal import BackupError, Commit, Span

HISTORIES = {
    2: "1\t0/3002100\tbefore 2026-11-21 19:21:52+00\n",
    3: "1\t0/3002100\tbefore x\n2\t0/3002300\tbefore y\n",
    4: "1\t0/5000000\tno recovery target specified\n",
}
# As PostgreSQL 15 prints them.
LINES = """\
rmgr: Transaction len (rec/tot):     34/    34, tx:        727, lsn: 0/03002230, prev 0/030021F0, desc: COMMIT 2026-11-21 19:21:54.103213 UTC
rmgr: Transaction len (rec/tot):    381/   381, tx:        728, lsn: 1/03002258, prev 0/03002230, desc: COMMIT 2026-11-21 19:21:55 UTC; inval msgs: catcache 80 catcache 79
rmgr: Transaction len (rec/tot):     34/    34, tx:        729, lsn: 1/03002300, prev 0/03002230, desc: ABORT 2026-11-21 19:21:56.5 UTC
rmgr: Transaction len (rec/tot):     66/    66, tx:          0, lsn: 1/03002400, prev 0/03002230, desc: COMMIT_PREPARED 731: 2026-11-21 19:21:57.000001 UTC
first record is after 0/3000000, at 0/3000028, skipping over 40 bytes
rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: 0/030022C0, prev 0/03002258, desc: RESTORE_POINT before deploy
rmgr: XLOG        len (rec/tot):     24/    24, tx:          0, lsn: 0/03002328, prev 0/030022C0, desc: SWITCH
"""  # noqa: E501


@pytest.mark.parametrize(
    ("timeline", "number", "name"),
    [
        (1, 0, "000000010000000000000000"),
        (1, 255, "0000000100000000000000FF"),
        (1, 256, "000000010000000100000000"),
        (31, 0x1234, "0000001F0000001200000034"),
    ],
)
def test_names(timeline: int, number: int, name: str) -> None:
    assert wal.name(timeline, number) == name
    assert (wal.timeline_of(name), wal.number(name)) == (timeline, number)


@pytest.mark.parametrize(("text", "lsn"), [("0/176AD88", 0x176AD88), ("1/0", 1 << 32), ("A/FFFFFFFF", 0xAFFFFFFFF)])
def test_positions(text: str, lsn: int) -> None:
    assert wal.read_lsn(text) == lsn
    assert wal.write_lsn(lsn) == text


@pytest.mark.parametrize("text", ["", "quark", "0", "0/", "0/123456789", "0x1/2"])
def test_no_position(text: str) -> None:
    with pytest.raises(BackupError, match=r"one looks like 0/176AD88\. Nothing was changed\."):
        wal.read_lsn(text)


@pytest.mark.parametrize(
    ("timeline", "spans"),
    [
        (1, (Span(1),)),
        (2, (Span(1, 0, 0x3002100), Span(2, 0x3002100))),
        (3, (Span(1, 0, 0x3002100), Span(2, 0x3002100, 0x3002300), Span(3, 0x3002300))),
        (4, (Span(1, 0, 0x5000000), Span(4, 0x5000000))),
    ],
)
def test_lineage(timeline: int, spans: tuple[Span, ...]) -> None:
    assert wal.lineage(timeline, HISTORIES) == spans


@pytest.mark.parametrize(
    ("timeline", "first", "last", "names"),
    [
        (1, 2, 3, ["000000010000000000000002", "000000010000000000000003"]),
        (2, 2, 4, ["000000010000000000000002", "000000020000000000000003", "000000020000000000000004"]),
        (3, 2, 3, ["000000010000000000000002", "000000030000000000000003"]),
        (4, 4, 5, ["000000010000000000000004", "000000040000000000000005"]),
        (1, 255, 256, ["0000000100000000000000FF", "000000010000000100000000"]),
    ],
)
def test_path(timeline: int, first: int, last: int, names: list[str]) -> None:
    assert wal.path(wal.lineage(timeline, HISTORIES), first, last) == names


@pytest.mark.parametrize(("numbers", "missing"), [([1, 2, 3], []), ([1, 3], [2]), ([254, 257], [255, 256]), ([7], [])])
def test_gaps(numbers: list[int], missing: list[int]) -> None:
    other = wal.name(9, 400)
    assert wal.gaps([other, *(wal.name(1, one) for one in numbers)]) == [wal.name(1, one) for one in missing]


def test_commits() -> None:
    assert wal.read_commits(LINES) == [
        Commit(727, 0x3002230, datetime(2026, 11, 21, 19, 21, 54, 103213, UTC)),
        Commit(728, 0x103002258, datetime(2026, 11, 21, 19, 21, 55, tzinfo=UTC)),
        Commit(731, 0x103002400, datetime(2026, 11, 21, 19, 21, 57, 1, UTC)),
    ]


def test_restore_points_and_positions() -> None:
    assert wal.read_restore_points(LINES) == [("before deploy", 0x30022C0)]
    assert wal.read_positions(LINES)[-1] == 0x3002328
