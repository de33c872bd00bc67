# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose turn a backup is."""

from __future__ import annotations

import sys
from http.client import IncompleteRead
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_run.py")
turn: Any = sys.modules["backup_turn"]
host: Any = sys.modules["backup_host"]
LEADER = {"name": "db1", "role": "leader", "state": "running"}


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
        ([LEADER, replica("db2", lag=turn.LAG + 1)], ("db1", False)),
        ([LEADER, replica("db2", lag="unknown")], ("db1", False)),
        ([LEADER, replica("db2", state="stopped")], ("db1", False)),
        ([LEADER, replica("db2", state="start failed"), replica("db3")], ("db3", True)),
        ([replica("db2")], ("db2", True)),
        # A site that only follows another one.
        ([LEADER | {"role": "standby_leader"}, replica("db2")], ("", False)),
    ],
)
def test_whose_turn_it_is(members: list[dict[str, Any]], expected: tuple[str, bool]) -> None:
    assert turn.turn(members) == expected


def test_nobody_who_could() -> None:
    with pytest.raises(host.Trouble, match="no leader"):
        turn.turn([replica("db2", state="stopped")])


def test_without_a_whole_answer_of_patroni_the_primary_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_: object, **__: object) -> None:
        raise IncompleteRead(b"{")

    monkeypatch.setattr(turn.ssl, "create_default_context", lambda **_: MagicMock())
    monkeypatch.setattr(turn.urllib.request, "urlopen", cut)
    monkeypatch.setattr(turn, "is_primary", lambda _told: True)
    told = SimpleNamespace(name="db1", pki="/pki", api="https://db1:8008")
    assert turn.on_turn(told, False) == (True, False)
