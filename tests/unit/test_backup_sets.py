# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which set serves, and which none needs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_scratch.py")
sets: Any = sys.modules["backup_sets"]
host: Any = sys.modules["backup_host"]
DAY = 86400


def aged(label: str, kind: str, day: float, *reference: str) -> dict[str, Any]:
    return {"label": label, "type": kind, "timestamp": {"stop": day * DAY}, "reference": list(reference) or None}


def test_old_incremental_sets_go_newest_first() -> None:
    held = [
        aged("a", "full", 0),
        aged("a_1", "incr", 0.5, "a"),
        aged("a_2", "incr", 0.6, "a", "a_1"),
        aged("b", "full", 1),
        aged("b_1", "incr", 1.5, "b"),
        aged("b_2", "incr", 2.5, "b", "b_1"),
    ]
    # b_1 is old too, and b_2 stands on it.
    assert [one["label"] for one in sets.outdated(held, 9 * DAY, 7)] == ["a_2", "a_1"]
    assert sets.outdated(held, 9 * DAY, 30) == []


def made(label: str, stop: str, error: bool = False) -> dict[str, Any]:
    return {"label": label, "lsn": {"stop": stop}, "error": error, "timestamp": {"stop": 1000}, "info": {"size": 5}}


@pytest.mark.parametrize(
    ("held", "label"),
    [
        ([made("a", "0/10"), made("b", "0/20")], "b"),
        ([made("a", "0/10"), made("b", "0/20"), made("c", "0/31")], "b"),
        ([made("a", "0/10"), made("b", "0/20", error=True)], "a"),
        ([made("a", "0/30")], "a"),
    ],
)
def test_the_newest_set_before_a_position(held: list[dict[str, Any]], label: str) -> None:
    assert sets.newest(held, "0/30")["label"] == label


def test_no_set_before_a_position() -> None:
    with pytest.raises(host.Trouble, match=r"No set .* before 0/30: take a full backup"):
        sets.newest([made("a", "0/31"), made("b", "0/10", error=True)], "0/30")


@pytest.mark.parametrize(
    ("kind", "value", "refusal"),
    [
        ("lsn", "0/10", None),
        ("lsn", "0/F", "lies before the end of set a"),
        ("time", "1970-01-01 00:16:40.000000+00", None),
        ("time", "1970-01-01 00:16:39.999999+00", "lies before the end of set a"),
        ("xid", "1", None),
        ("default", "", None),
    ],
)
def test_a_set_that_ends_after_the_moment(kind: str, value: str, refusal: str | None) -> None:
    target = sets.Target(1, "a", 1, kind, value)
    if refusal is None:
        assert sets.sized([made("a", "0/10")], target) == 5
        return
    with pytest.raises(host.Trouble, match=refusal):
        sets.sized([made("a", "0/10")], target)


def test_a_set_that_is_not_there() -> None:
    with pytest.raises(host.Trouble, match="no set b; there are: a"):
        sets.sized([made("a", "0/10")], sets.Target(1, "b", 1, "default"))


@pytest.mark.parametrize(
    ("target", "more"),
    [
        (sets.Target(3, "a", 2, "default"), []),
        (sets.Target(3, "a", 2, "time", "now"), ["--target=now", "--target-action=promote"]),
        (
            sets.Target(3, "a", 2, "lsn", "0/1", exclusive=True),
            ["--target=0/1", "--target-action=promote", "--target-exclusive"],
        ),
    ],
)
def test_what_pgbackrest_gets(target: Any, more: list[str]) -> None:
    assert target.options == ["--repo=3", "--set=a", f"--type={target.type}", "--target-timeline=2", *more]
