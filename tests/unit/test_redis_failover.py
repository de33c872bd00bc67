# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is what in the set, as the members say it themselves."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from program import imported

LIB = Path(__file__).resolve().parents[2] / "roles/redis/templates/tree/usr/local/lib/trading-platform"
imported(LIB / "redis_member.py")
failover: Any = sys.modules["redis_failover"]
A, B = "10.0.0.1", "10.0.0.2"


class Told:
    """A set whose members answer with what is given; an offset of None is a member that does not answer."""

    members, sentinels, majority = (A, B), ("s",), 1

    def __init__(self, replica: int | None) -> None:
        self.replica = replica

    def answers(self) -> list[Any]:
        return [sys.modules["redis_verdict"].Answer(A, 1, (B,), (B,))]

    @contextlib.contextmanager
    def redis(self, address: str) -> Iterator[Any]:
        if address == B and self.replica is None:
            raise OSError("no route to host")
        heard = f"ip={B},port=6379,state=online,offset=100,lag=1"
        master = {"role": "master", "master_repl_offset": "5000000", "slave0": heard}
        found = master if address == A else {"slave_repl_offset": str(self.replica)}
        yield SimpleNamespace(info=lambda _: found)


@pytest.mark.parametrize(("replica", "behind"), [(4999000, 1000), (5000100, 0), (None, None)])
def test_a_replica_is_as_far_as_it_says_itself(replica: int | None, behind: int | None) -> None:
    """The master heard of offset 100 a second ago: under many writes that is megabytes."""
    assert failover.look(Told(replica)).behind == {B: behind}
