# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a Redis host is when it starts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from program import imported

LIB = Path(__file__).resolve().parents[2] / "roles/redis/templates/tree/usr/local/lib/trading-platform"
imported(LIB / "redis_member.py")
verdict: Any = sys.modules["redis_verdict"]
A, B = "10.0.0.1", "10.0.0.2"


def says(master: str, epoch: int = 1, replicas: tuple[str, ...] = (A, B), healthy: tuple[str, ...] = (A, B)) -> Any:
    others = tuple(one for one in replicas if one != master)
    return verdict.Answer(master, epoch, others, tuple(one for one in healthy if one in others))


NEW = {"exists": False}
MASTER = {"exists": True, "data": True, "clean": True}
CRASHED = {"exists": True, "data": True, "clean": False}
REPLICA = {"exists": True, "data": True, "replicaof": B}
FOREIGN = {"exists": False, "data": True}


@pytest.mark.parametrize(
    ("answers", "local", "patient", "act", "master"),
    [
        # The first start of the set.
        ([], NEW, True, "start", ""),
        # A new host beside a set that runs.
        ([says(B)] * 3, NEW, True, "start", B),
        # A returning old master, however its own file sees it.
        ([says(B)] * 2, MASTER, True, "start", B),
        ([says(B)] * 2, CRASHED, True, "start", B),
        # Sentinels that have not heard of the failover yet do not outvote those that have.
        ([says(A, 1), says(A, 1), says(B, 2)], CRASHED, True, "start", B),
        # A clean restart of the master, and one after a crash: the replica first.
        ([says(A)] * 3, MASTER, True, "start", ""),
        ([says(A)] * 3, CRASHED, True, "wait", ""),
        ([says(A)] * 3, CRASHED, False, "start", ""),
        # It came back with an empty disk before the sentinels moved: it must not wipe its replica.
        ([says(A)] * 3, NEW, True, "wait", ""),
        # Sentinels were there before the master's first start, and know no replica.
        ([says(A, replicas=(A,))] * 3, NEW, True, "start", ""),
        # There is nobody who could take over.
        ([says(A, healthy=())] * 3, CRASHED, True, "start", ""),
        # No majority: wait, then the local file.
        ([], MASTER, True, "wait", ""),
        ([], MASTER, False, "start", ""),
        ([], REPLICA, False, "start", B),
        ([says(A)], CRASHED, True, "wait", ""),
        ([says(A)], CRASHED, False, "start", ""),
        # A single sentinel that names another one is believed: it cannot have made that up.
        ([says(B)], CRASHED, False, "start", B),
        # Data of somebody else.
        ([says(B, replicas=(B,))] * 3, FOREIGN, True, "refuse", ""),
        ([], FOREIGN, True, "refuse", ""),
        # The disk's own file was lost, but the sentinels know this host.
        ([says(B)] * 3, FOREIGN, True, "start", B),
    ],
)
def test_decide(answers: list[Any], local: dict[str, Any], patient: bool, act: str, master: str) -> None:
    found = verdict.decide(A, A, 2, answers, verdict.Local(**local), patient=patient)
    assert (found.act, found.master) == (act, master), found


def test_the_first_member_is_master_only_for_the_others_first_start() -> None:
    found = verdict.decide(B, A, 2, [], verdict.Local(False), patient=True)
    assert (found.act, found.master) == ("start", A)
