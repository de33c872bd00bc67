# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two sites: who may take over from whom, and when nobody may."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._dr.verdicts import Sites, behind, judge

PRIMARY = {"state": "primary", "lsn": "0/5000000", "now": 1000.0, "lines": ["primary"], "data": True}
STANDBY = {"state": "standby", "lsn": "0/4000000", "last_commit": 940.0, "behind_bytes": 0, "checks": [], "data": True}
DOWN = {"state": "down", "data": True, "sets": ["20261122-010000F"]}
UNKNOWN: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("operation", "first", "second", "stage", "says"),
    [
        ("setup", PRIMARY, UNKNOWN, "build", None),
        ("setup", PRIMARY, STANDBY, "build", None),
        ("setup", DOWN, PRIMARY, "build", "the second site has taken over"),
        ("setup", DOWN, DOWN, "build", "nobody to follow"),
        ("test", PRIMARY, STANDBY, "warm", None),
        ("test", UNKNOWN, STANDBY, "warm", None),
        ("test", PRIMARY, DOWN, "warm", "No host of the second site follows"),
        ("test", PRIMARY, PRIMARY, "warm", "No host of the second site follows"),
        ("test", PRIMARY, STANDBY | {"behind_bytes": 65 << 20}, "warm", "yet to replay"),
        ("test", PRIMARY, STANDBY | {"last_commit": 600.0}, "warm", "lacks 400 s of commits"),
        ("test", PRIMARY, STANDBY | {"checks": [{"name": "ledger", "ok": False}]}, "warm", "ledger has another answer"),
        ("failover", DOWN, STANDBY, "promote", None),
        ("failover", PRIMARY, STANDBY, "promote", "still takes writes"),
        ("failover", UNKNOWN, STANDBY, "promote", "not the same as dead"),
        ("failover", DOWN, DOWN, "promote", "none can take over"),
        # Run once more after it has promoted: there is nothing to refuse, and nothing to do.
        ("failover", UNKNOWN, PRIMARY, "done", None),
        ("failback", DOWN, PRIMARY, "follow", None),
        ("failback", DOWN | {"sets": []}, PRIMARY, "follow", "no backup of its own yet"),
        ("failback", STANDBY, PRIMARY, "switch", None),
        ("failback", STANDBY, DOWN, "switch", None),
        ("failback", PRIMARY, DOWN, "finish", None),
        ("failback", PRIMARY, STANDBY, "done", None),
        ("failback", PRIMARY, PRIMARY, "", "both take writes"),
        ("failback", UNKNOWN, PRIMARY, "", "could not be asked"),
        ("failback", DOWN, DOWN, "", "Neither site leads"),
        ("failback", DOWN, STANDBY, "", "Neither site leads"),
    ],
)
def test_each_operation(operation: str, first: Any, second: Any, stage: str, says: str | None) -> None:
    verdict = judge(operation, Sites({"db1": first}, {"dr1": second}))
    assert verdict["stage"] == stage
    assert bool(verdict["problems"]) == (says is not None), verdict
    assert says is None or says in " ".join(verdict["problems"])


def test_who_was_seen_to_is_dead() -> None:
    assert not judge("failover", Sites({"db1": UNKNOWN}, {"dr1": STANDBY}, gone=True))["problems"]
    # What answers is not dead, whatever somebody says.
    assert judge("failover", Sites({"db1": UNKNOWN, "db2": PRIMARY}, {"dr1": STANDBY}, gone=True))["problems"]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (PRIMARY, STANDBY, (16 << 20, 60.0)),
        (PRIMARY, STANDBY | {"lsn": "0/5000000"}, (0, 0.0)),
        (PRIMARY, STANDBY | {"last_commit": None}, (16 << 20, 0.0)),
        (PRIMARY, STANDBY | {"last_commit": 1001.0}, (16 << 20, 0.0)),
        (UNKNOWN, STANDBY, None),
        (PRIMARY, DOWN, None),
    ],
)
def test_how_far_behind(first: Any, second: Any, expected: tuple[int, float] | None) -> None:
    assert behind(Sites({"db1": first}, {"dr1": second})) == expected


def test_all_that_was_seen_is_told() -> None:
    lines = judge("test", Sites({"db1": PRIMARY, "db2": UNKNOWN}, {"dr1": STANDBY | {"lines": ["standby"]}}))["lines"]
    assert lines[:3] == ["db1: primary", "db2: it could not be asked", "dr1: standby"]
