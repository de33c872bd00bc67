# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that takes backups: whose turn it is, and what it lets go."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
backup = imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_run.py")
LEADER = {"name": "db1", "role": "leader", "state": "running"}
DAY = 86400


def replica(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "role": "replica", "state": "running", "lag": 0, **more}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([LEADER], ("db1", False)),
        ([LEADER, replica("db2")], ("db2", True)),
        ([LEADER, replica("db2", state="streaming")], ("db2", True)),
        # The synchronous one loses least, whatever its name.
        ([LEADER, replica("db2"), replica("db3", role="sync_standby")], ("db3", True)),
        ([LEADER, replica("db2", lag=backup.LAG + 1)], ("db1", False)),
        ([LEADER, replica("db2", lag="unknown")], ("db1", False)),
        ([LEADER, replica("db2", state="stopped")], ("db1", False)),
        ([LEADER, replica("db2", state="start failed"), replica("db3")], ("db3", True)),
        ([replica("db2")], ("db2", True)),
        # A site that only follows another one.
        ([LEADER | {"role": "standby_leader"}, replica("db2")], ("", False)),
    ],
)
def test_whose_turn_it_is(members: list[dict[str, Any]], expected: tuple[str, bool]) -> None:
    assert backup.turn(members) == expected


def test_nobody_who_could() -> None:
    with pytest.raises(backup.Trouble, match="no leader"):
        backup.turn([replica("db2", state="stopped")])


def made(label: str, kind: str, day: float, *reference: str) -> dict[str, Any]:
    return {"label": label, "type": kind, "timestamp": {"stop": day * DAY}, "reference": list(reference) or None}


def test_old_incremental_sets_go_newest_first() -> None:
    sets = [
        made("a", "full", 0),
        made("a_1", "incr", 0.5, "a"),
        made("a_2", "incr", 0.6, "a", "a_1"),
        made("b", "full", 1),
        made("b_1", "incr", 1.5, "b"),
        made("b_2", "incr", 2.5, "b", "b_1"),
    ]
    # b_1 is old too, and b_2 stands on it.
    assert backup.outdated(sets, 9 * DAY, 7) == ["a_2", "a_1"]
    assert backup.outdated(sets, 9 * DAY, 30) == []


def test_metrics_leave_out_what_is_not_known() -> None:
    ended = {"schedule": "full", "end": 9.0, "seconds": 3, "ok": False, "last_success": None}
    assert backup.metrics([ended]).splitlines() == [
        'trading_backup_last_end_timestamp_seconds{schedule="full"} 9.0',
        'trading_backup_duration_seconds{schedule="full"} 3.0',
        'trading_backup_ok{schedule="full"} 0.0',
    ]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"code": 1}, "made the stanza trading\nThere is no backup yet.\n"),
        ({"code": 2}, "There is no backup yet.\n"),
        # The first one runs: it takes hours, and site.yml is run again meanwhile.
        ({"code": 2, "lock": {"backup": {"held": True}}}, ""),
        ({"code": 0, "lock": {"backup": {"held": False}}}, ""),
    ],
)
def test_a_first_backup_is_asked_for_until_there_is_one(
    status: dict[str, Any],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    told = SimpleNamespace(stanza="trading", data=str(tmp_path))
    monkeypatch.setattr(backup, "is_primary", lambda _told: True)
    monkeypatch.setattr(backup, "info", lambda _told: {"status": status})
    monkeypatch.setattr(backup, "created", lambda _told: None)
    backup.prepare(told)
    assert capsys.readouterr().out == says
