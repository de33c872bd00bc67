# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the load concludes from what it saw: every acceptance figure of releases and of the edge stands on this."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from traffic import api, figures
from traffic.api import Ask, Mix, User

USERS = [User(api.ADDRESSES[number], f"{number}.mac") for number in range(5)]


def second(t: float, **more: Any) -> dict[str, Any]:
    return figures.Second(**more).told(t)


@pytest.mark.parametrize(
    ("latencies", "share", "least", "most"),
    [
        ([], 0.95, 0, 0),
        ([10.0], 0.95, 10, 10.5),
        # The one slow request of twenty is above p95, the second is it.
        ([1.0] * 19 + [500.0], 0.95, 1, 1.05),
        ([1.0] * 18 + [500.0] * 2, 0.95, 500, 525),
        # Of three, the second.
        ([1.0] + [500.0] * 2, 0.5, 500, 525),
        ([0.0], 0.5, 0.1, 0.1),
        ([20000.0], 0.5, 20000, 21000),
    ],
)
def test_percentile(latencies: list[float], share: float, least: float, most: float) -> None:
    found = figures.percentile(Counter(map(figures.bucket, latencies)), share)
    assert least <= found <= most


def test_summary_of_seconds() -> None:
    back = {"code": 1001, "back_s": 0.4, "from": "v1 blue", "to": "v2 green"}
    told = figures.summary(
        [
            second(1, requests=3, releases=Counter({"v1 blue": 3}), latencies=Counter({5: 3}), gap=0.1, open_sockets=2),
            second(2, requests=2, failed=1, errors=Counter({"502": 1}), gap=1.4, returned=[back], open_sockets=2),
            second(3, requests=1, releases=Counter({"v1 blue": 1, "v2 green": 2}), open_sockets=1, trades=4),
        ]
    )
    assert (told["requests"], told["failed"], told["errors"]) == (6, 1, {"502": 1})
    assert told["releases"] == {"v1 blue": 4, "v2 green": 2}
    assert (told["longest_gap_s"], told["trades"]) == (1.4, 4)
    assert (told["sockets_closed"], told["reconnect_s"]) == ({"1001": 1}, 0.4)
    # It closed and has not come back: no reconnection tells of it.
    assert told["sockets_missing"] == 1


@pytest.mark.parametrize(
    ("moved", "strayed"),
    [
        ([], {}),
        # The share grows: each client moves once.
        ([[1, "a", "v1", "v2"], [9, "b", "v1", "v2"]], {}),
        # Two hosts, one after the other: for a moment a client sees both.
        ([[1, "a", "v1", "v2"], [2, "a", "v2", "v1"], [3, "a", "v1", "v2"]], {}),
        # The same, and it comes again only later.
        ([[1, "a", "v1", "v2"], [1.1, "a", "v2", "v1"], [9, "a", "v1", "v2"]], {}),
        ([[1, "a", "v1", "v2"], [9, "a", "v2", "v1"], [1, "b", "v1", "v2"]], {"a": ["v2", "v1"]}),
        # It never stays long, but goes on for too long.
        ([[1, "a", "v1", "v2"], [3, "a", "v2", "v1"], [4, "a", "v1", "v2"], [5, "a", "v2", "v1"]], {"a": ["v2", "v1"]}),
        # A third release is no return.
        ([[1, "a", "v1", "v2"], [9, "a", "v2", "v3"]], {}),
    ],
)
def test_strays(moved: list[list[Any]], strayed: dict[str, list[str]]) -> None:
    assert figures.strays([second(one[0], moved=[[*one, one[0]]]) for one in reversed(moved)]) == strayed


def test_what_was_left_before_the_window_is_no_stray() -> None:
    """Its first request since then tells of a release before; only the second one of what happens now."""
    moves: list[list[Any]] = [[100.0, "a", "v2", "v1", 90.0], [110.0, "a", "v1", "v2", 100.0]]
    assert figures.strays([second(one[0], moved=[one]) for one in moves]) == {}


@pytest.mark.parametrize(
    ("acknowledged", "present", "lost", "doubled"),
    [
        ({1: "a", 2: "b"}, [(1, "a"), (2, "b"), (3, "c")], [], []),
        ({1: "a", 2: "b"}, [(2, "b")], [1], []),
        # Made twice under one key, whether or not both were acknowledged.
        ({1: "a"}, [(1, "a"), (2, "a")], [], ["a"]),
        ({1: "a", 2: "a"}, [(1, None), (2, None)], [], ["a"]),
        # The same order on two pages is one order.
        ({1: "a"}, [(1, "a"), (1, "a")], [], []),
    ],
)
def test_orders(
    acknowledged: dict[int, str], present: list[tuple[int, str | None]], lost: list[int], doubled: list[str]
) -> None:
    found = figures.orders(acknowledged, present)
    assert (found["lost_ids"], found["doubled_keys"]) == (lost, doubled)
    assert (found["lost"], found["doubled"], found["acknowledged"]) == (len(lost), len(doubled), len(acknowledged))


PAGE = Ask("page", "GET", "/", "198.51.100.1", "198.51.100.1")
ORDER = Ask("order", "POST", "/api/orders", "198.51.100.1", "7", (200, 201))


@pytest.mark.parametrize(
    ("ask", "status", "body", "says"),
    [
        (PAGE, 200, b"<!doctype html><HTML>", None),
        (PAGE, 200, b"{}", "/ is no page"),
        (PAGE, 503, b"<html>sorry", "503 for GET /: <html>sorry"),
        (ORDER, 201, b'{"id": 7}', None),
        (ORDER, 201, b'{"id": 7', "/api/orders: no JSON"),
        (ORDER, 201, b"{}", "/api/orders: an order without an id"),
        (ORDER, 429, b"slower", "429 for POST /api/orders: slower"),
    ],
)
def test_wrong(ask: Ask, status: int, body: bytes, says: str | None) -> None:
    assert api.wrong(ask, status, body) == says


def test_no_client_comes_near_a_limit() -> None:
    """A minute at 200 requests a second; the lowest limit for one client is 60 a minute."""
    mix = Mix("mixed", USERS * 4, [1, 2])
    asked = [next(mix) for _ in range(200 * 60)]
    assert max(Counter(ask.address for ask in asked if not ask.token).values()) < 30
    kinds = Counter(ask.kind for ask in asked)
    assert kinds == {"page": 6600, "trades": 1800, "balances": 1200, "companies": 1800, "order": 600}


def test_every_user_reads_and_trades() -> None:
    mix = Mix("mixed", USERS, [1])
    seen = {(ask.kind, ask.key) for ask in (next(mix) for _ in range(1000)) if ask.token}
    assert seen == {(kind, user.key) for kind in ("order", "balances") for user in USERS}


def test_an_order_is_now_and_then_sent_again() -> None:
    mix = Mix("trades", USERS, [1, 2, 3], again=10)
    asked = [next(mix) for _ in range(100)]
    assert len({ask.reference for ask in asked}) == 90
    assert asked[9] == asked[8]
    assert {ask.body["company_id"] for ask in asked} == {1, 2, 3}
