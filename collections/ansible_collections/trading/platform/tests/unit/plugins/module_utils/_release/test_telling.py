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
    scale_failure,
    scale_plan,
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


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ("host_by_host", "app1 goes first; where it does not get healthy, the others stay as they are."),
        (
            "at_once",
            "A second set gets ready on all hosts at once; where one does not, none switches. All do in one step.",
        ),
        (
            "by_canary",
            "A second set gets ready on all hosts at once; where one does not, no client sees it.",
        ),
    ],
)
def test_plan_says_which_way_the_hosts_go(way: str, says: str) -> None:
    hosts = {"app1": seen("v1-a"), "app2": seen("v1-a")}
    assert plan(hosts, "v2-b", None, way)[2] == says


def sized(**instances: int) -> dict[str, Any]:
    return {**seen("v1-a"), "instances": instances}


def test_the_plan_of_scaling() -> None:
    hosts = {"app1": sized(web=2, api=2), "app12": sized(web=1, api=3)}
    assert scale_plan(hosts, {"api": 3, "web": 1}) == [
        "app1   api 2 -> 3, web 2 -> 1",
        "app12  api 3 -> 3, web 1 -> 1",
        "All hosts at once. Where one fails, the others stay scaled.",
    ]


def test_a_host_that_could_not_be_scaled_and_one_that_is_silent() -> None:
    before = {host: sized(api=2) for host in ("app1", "app2", "app3")}
    after = {"app1": sized(api=3), "app2": sized(api=2)}
    assert scale_failure(before, after, {"api": 3}, ["app2: was not ready within 60 s", "app3: no route"]) == [
        "Not every host was scaled.",
        "app2: was not ready within 60 s",
        "app3: no route",
        "app1  api 3: scaled",
        "app2  api 2: not scaled",
        "app3  not known",
        "Mend that and run the same again, or scale all back.",
    ]


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
