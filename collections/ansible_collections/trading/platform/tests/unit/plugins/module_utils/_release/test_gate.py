# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._release.gate import asked, gatekeeper, sides, verdict


def side(which: str, requests: Any, errors: Any = 0, latency: Any = 10.0, service: str = "api") -> dict[str, Any]:
    return {"side": which, "service": service, "requests": requests, "errors": errors, "latency_ms": latency}


def both(new: tuple[Any, ...], old: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [side("baseline", *old), side("canary", *new)]


@pytest.mark.parametrize(
    ("new", "old", "reason"),
    [
        ((200, 0), (4000, 0), ""),
        ((200, 2), (4000, 0), ""),  # exactly the margin
        (
            (200, 3),
            (4000, 0),
            "3 of 200 requests of the canary failed (1.5%); of the baseline's 0.0%, allowed are 1.0%",
        ),
        ((200, 10), (4000, 200), ""),  # as bad as the baseline is not worse
        ((200, 13), (4000, 200), "allowed are 6.0%"),
        ((99, 0), (4000, 0), "served 99 requests; fewer than 100 say nothing"),
        ((0, 0), (0, 0), "served 0 requests"),
        ((200, 0, 35.0), (4000, 0, 10.0), ""),  # within the slack
        ((200, 0, 36.0), (4000, 0, 10.0), "takes 36 ms on average; the baseline 10 ms, allowed are 35 ms"),
        ((200, 0, 150.0), (4000, 0, 100.0), ""),
        ((200, 0, 151.0), (4000, 0, 100.0), "allowed are 150 ms"),
        ((200, 0, 900.0), (50, 0, 10.0), ""),  # a baseline without requests says nothing about time
        ((None, None, None), (4000, 0), "canary api: its numbers cannot be read"),
        ((200, 0), (None, None, None), "baseline api: its numbers cannot be read"),
    ],
)
def test_verdict(new: tuple[Any, ...], old: tuple[Any, ...], reason: str) -> None:
    told = verdict(both(new, old))
    assert told["go"] is (not reason)
    assert reason in " ".join(told["reasons"])
    assert len(told["reasons"]) == (1 if reason else 0)


def test_one_error_among_few_requests_is_chance_two_are_not() -> None:
    assert verdict(both((20, 1), (4000, 0)), min_requests=10)["go"]
    assert not verdict(both((20, 2), (4000, 0)), min_requests=10)["go"]


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ([], "same services"),
        ([side("baseline", 500)], "same services"),
        ([side("canary", 500)], "same services"),
        ([side("canary", 500), side("baseline", 500, service="web")], "same services"),
    ],
)
def test_what_cannot_be_compared_is_a_no(seen: list[dict[str, Any]], reason: str) -> None:
    told = verdict(seen)
    assert not told["go"]
    assert reason in told["reasons"][0]


def test_a_bad_service_is_not_hidden_by_a_busy_good_one() -> None:
    seen = [*both((60, 3), (900, 0)), side("baseline", 9000, service="web"), side("canary", 900, service="web")]
    told = verdict(seen)
    assert told["reasons"] == [
        "api: 3 of 60 requests of the canary failed (5.0%); of the baseline's 0.0%, allowed are 1.0%."
    ]


@pytest.mark.parametrize(
    ("api", "every_service", "reason"),
    [
        ((0, 100), True, "api: the canary served none of its requests, the baseline 100; that says nothing of it."),
        ((1, 100), True, ""),
        # Of what hardly anybody asks for, none says nothing.
        ((0, 99), True, ""),
        # Users alone may use one service alone.
        ((0, 100), False, ""),
    ],
)
def test_a_silent_service_is_not_hidden_by_a_busy_one(api: tuple[int, int], every_service: bool, reason: str) -> None:
    seen = [*both((api[0],), (api[1],)), side("baseline", 900, service="web"), side("canary", 100, service="web")]
    assert verdict(seen, every_service=every_service)["reasons"] == ([reason] if reason else [])


def test_errors_that_are_few_in_each_service_are_many_together() -> None:
    seen = [one for name in "abc" for one in (side("baseline", 500, service=name), side("canary", 30, 1, service=name))]
    assert verdict(seen, min_requests=50)["reasons"][0].startswith("all services: 3 of 90")


def counters(requests: int, errors: int = 0, response_ms: float = 10.0) -> dict[str, Any]:
    return {"requests": requests, "errors": errors, "connection_errors": 0, "response_ms": response_ms}


def look(live: str, blue: Any, green: Any) -> dict[str, Any]:
    return {"live": {"colour": live}, "counters": {"blue": {"api": blue}, "green": {"api": green}}}


def test_sides_are_by_who_is_live_on_each_host_and_time_is_weighed() -> None:
    before = {
        "app1": look("blue", counters(100), counters(0)),
        "app2": look("green", counters(0), counters(50)),
    }
    after = {
        "app1": look("blue", counters(1100, 1), counters(100, 2, 40.0)),
        "app2": look("green", counters(300, 1, 80.0), counters(550)),
    }
    assert sides(before, after) == [
        {"side": "baseline", "service": "api", "requests": 1500, "errors": 1, "latency_ms": 10.0},
        {"side": "canary", "service": "api", "requests": 400, "errors": 3, "latency_ms": 70.0},
    ]


@pytest.mark.parametrize("now", [counters(200), None, {"requests": 5}])
def test_counters_that_fell_or_are_missing_cannot_be_read(now: Any) -> None:
    seen = sides({"app1": look("blue", counters(0), counters(500))}, {"app1": look("blue", counters(500), now)})
    assert seen[1]["requests"] is None
    assert not verdict(seen)["go"]


@pytest.mark.parametrize(
    ("now", "go", "asks", "says"),
    [
        (counters(600), True, True, ""),
        # By night nobody comes, and the deploy goes on as its containers are ready.
        (counters(599), True, False, "It answered 99 requests; fewer than 100 say nothing"),
        (counters(500), True, False, "It answered 0 requests"),
        # Another process' counters, or none.
        (counters(20), False, False, "cannot be read"),
        (None, False, False, "cannot be read"),
    ],
)
def test_the_first_host_of_a_deploy_is_judged_by_what_it_answers(now: Any, go: bool, asks: bool, says: str) -> None:
    """Of the colour that serves since its swap; what the old one still carries is not its."""
    told = gatekeeper(look("green", counters(9), counters(500)), look("green", counters(5000), now))
    assert (told["go"], told["asks"]) == (go, asks)
    assert says in " ".join(told["lines"] + told["reasons"])
    assert bool(told["reasons"]) is not go


@pytest.mark.parametrize(
    ("answer", "go", "reason"),
    [
        ({"skipped": True, "changed": False}, True, ""),
        ({"go": True, "lines": ["errors: 0"], "reasons": []}, True, ""),
        ({"go": False, "lines": [], "reasons": ["errors: 0.3"]}, False, "errors: 0.3"),
        (
            {"unreachable": True, "msg": "Connection refused"},
            False,
            "not be asked on ops1: Connection",
        ),
        ({"failed": True, "msg": "no such module"}, False, "ops1: no such module"),
        ({}, False, "ops1: no answer"),
    ],
)
def test_asked(answer: dict[str, Any], go: bool, reason: str) -> None:
    told = asked(answer, "ops1")
    assert told["go"] is go
    assert reason in " ".join(told["reasons"])
    assert bool(told["reasons"]) is not go
