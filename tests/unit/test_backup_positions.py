# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions in PostgreSQL's log, and the commits that it tells of."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_scratch.py")
positions: Any = sys.modules["backup_positions"]
archive: Any = sys.modules["backup_archive"]


@pytest.mark.parametrize("lsn", ["0/0", "0/5000028", "0/FFFFFFFF", "A/1000000"])
def test_a_position_there_and_back(lsn: str) -> None:
    assert positions.position(positions.number(lsn)) == lsn


def test_a_position_in_its_log() -> None:
    assert positions.segment(positions.number("A/50000FF")) == "0000000A00000005"


def kept(last: str | None, database: int = 1) -> dict[str, Any]:
    return {"max": last, "database": {"id": database}}


@pytest.mark.parametrize(
    ("held", "end"),
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
def test_where_the_archive_ends(held: list[dict[str, Any]], end: str) -> None:
    assert positions.position(positions.archived(held)) == end


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
    assert archive.COMMIT.findall(line) == found
