# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._release.telling import (
    failure,
    plan,
    reasons,
    summary,
    traffic,
    usage,
)

ZERO = {"requests": 0, "errors": 0, "connection_errors": 0}


def seen(
    release: str | None, requests: int = 0, errors: int = 0, other: dict[str, str] | None = None
) -> dict[str, Any]:
    return {
        "live": {"release": release, "colour": "blue"} if release else None,
        "other": other,
        "counters": {"blue": {"api": {**ZERO, "requests": requests, "errors": errors}}, "green": {"api": ZERO}},
    }


def test_plan_names_hosts_in_their_order_and_the_last_time() -> None:
    canary = {"release": "v3-c", "colour": "green", "purpose": "canary"}
    assert plan({"app1": seen("v1-a"), "app12": seen("v1-a", other=canary)}, "v2-b", {"seconds": 20.6}) == [
        "app1   v1-a (blue) -> v2-b",
        "app12  v1-a (blue), canary v3-c -> v2-b",
        "app1 goes first; where it does not get healthy, the others stay as they are.",
        "Expected: 21 s, as the last time.",
    ]
    assert plan({"app1": seen(None)}, "v2-b") == [
        "app1  nothing -> v2-b",
        "Expected: not known, no run is on record.",
    ]
    assert plan({"app1": seen("v2-b")}, "v2-b")[-1] == "Nothing to do but to look: every host serves it."


def test_summary() -> None:
    measured = {"ready_s": 2.04, "drain_s": 0.3, "total_s": None}
    lines = summary({"app1": seen("v1-a", 5)}, {"app1": seen("v2-b", 105, 1)}, {"app1": {"measured": measured}}, 4.26)
    assert lines == [
        "app1  serves v2-b (blue): ready after 2.0 s, drained in 0.3 s",
        "Requests in the meantime: 100, of which 1 failed; 0 connections to containers failed.",
        "It took 4.3 s.",
    ]


def test_what_a_release_took_is_the_sum_of_its_parts() -> None:
    swapped = {"app1": {"measured": {"ready_s": 5.0, "drain_s": None, "total_s": 6.0}}, "app2": {}}
    looks = {host: seen("v2-b") for host in swapped}
    checked = {**looks, "app1": {**looks["app1"], "measured": {"ready_s": None, "drain_s": 1.5, "total_s": 4.0}}}
    lines = summary(looks, checked, swapped, 20.0)
    assert lines[:2] == [
        "app1  serves v2-b (blue): ready after 5.0 s, drained in 1.5 s, altogether 10.0 s",
        "app2  serves v2-b (blue)",
    ]


def test_a_proxy_that_was_started_anew_has_forgotten() -> None:
    assert "not known" in traffic({"app1": seen("v1-a", 100)}, {"app1": seen("v1-a", 5)})


def test_usage() -> None:
    one = {
        "Name": "trading-blue-api-1",
        "CPUPerc": "1%",
        "MemUsage": "2MiB / 256MiB",
        "MemPerc": "0.8%",
        "PIDs": "3",
        "NetIO": "1kB / 2kB",
    }
    assert usage({"app1": [one]}) == [
        "HOST  CONTAINER           CPU  MEMORY         OF LIMIT  PROCESSES  NETWORK",
        "app1  trading-blue-api-1  1%   2MiB / 256MiB  0.8%      3          1kB / 2kB",
    ]


@pytest.mark.parametrize(
    ("failed", "lines"),
    [
        ({"app1": {}, "app2": {"failed": True, "msg": "exited with code 3"}}, ["app2: exited with code 3"]),
        # A loop, as that which asks the members of etcd for the lock.
        (
            {
                "app1": {
                    "failed": True,
                    "msg": "One or more items failed",
                    "results": [{"answered": False}, {"failed": True, "msg": "no longer holds the fleet"}],
                }
            },
            ["app1: no longer holds the fleet"],
        ),
        ({"app1": {"failed": True}}, []),
    ],
)
def test_reasons(failed: dict[str, Any], lines: list[str]) -> None:
    assert reasons(failed) == lines


def test_a_failure_names_who_could_not_be_put_back() -> None:
    before = {"app1": seen(None), "app2": seen("v1-a"), "app3": seen("v2-b"), "app4": seen("v1-a")}
    after = {"app1": seen("v2-b"), "app2": seen("v1-a"), "app3": seen("v2-b")}
    lines = failure(before, after, "v2-b", ["app4: no engine"], 3.0)
    assert lines[:4] == [
        "v2-b was not released.",
        "app4: no engine",
        "Not put back, and still on v2-b: app1. Deploy what all hosts are to serve.",
        "Not known is what these serve: app4. Look at them, then run this again.",
    ]
    assert lines[4] == "app1  serves v2-b (blue)"


def test_a_failure_that_was_put_back_everywhere() -> None:
    before = {"app1": seen("v1-a")}
    lines = failure(before, before, "v2-b", [], 3.0, withdrawn=True)
    assert lines[:3] == ["v2-b was withdrawn.", "A host could not be reached.", "app1  serves v1-a (blue)"]
