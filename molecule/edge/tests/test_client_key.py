"""Who a client is, it cannot choose. A declared proxy is believed, and only about clients."""

from __future__ import annotations

import json
import time
from typing import Any

from edge import ask, somebody, through_proxy, wait_for_room
from fleet import inside


def logged(host: str, request_id: str) -> dict[str, Any]:
    """The line of the access log; nginx writes it within a second."""
    time.sleep(1.5)
    line: dict[str, Any] = json.loads(inside(host, f"grep -F {request_id} /var/log/nginx/access.log"))
    return line


def test_a_strangers_forwarded_for_is_not_believed() -> None:
    wait_for_room(15)
    answers = [
        ask(
            "lb2",
            "/api/login",
            "POST",
            X_Forwarded_For=somebody(),
            X_Real_IP=somebody(),
            X_Client_Key=somebody(),
            Forwarded=f"for={somebody()}",
            CF_Connecting_IP=somebody(),
        )
        for _ in range(6)
    ]
    assert [answer.status == 429 for answer in answers] == [False] * 5 + [True]
    line = logged("lb2", answers[0].one("X-Request-ID"))
    assert line["client"] == line["peer"]


def test_a_strangers_request_id_is_not_taken_over() -> None:
    assert ask("lb2", "/", X_Request_ID="chosen-by-a-stranger").one("X-Request-ID") != "chosen-by-a-stranger"


def test_the_declared_proxy_is_believed() -> None:
    client, given = somebody(), f"test-{time.monotonic_ns()}"
    (seen,) = through_proxy("lb2", 1, "/", X_Forwarded_For=client, X_Request_ID=given)
    line = logged("lb2", given)
    assert (seen[2], line["client"]) == (given, client)
    assert line["peer"] != client


def test_what_a_client_claims_through_the_proxy_does_not_count() -> None:
    """The last address is the proxy's own word; those before it are the client's."""
    wait_for_room(15)
    client = somebody()
    statuses = [
        through_proxy("lb2", 1, "/api/login", "POST", X_Forwarded_For=f"{somebody()}, {client}")[0][0] for _ in range(6)
    ]
    assert [status == 429 for status in statuses] == [False] * 5 + [True]
