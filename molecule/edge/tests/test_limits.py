"""The documents' limits, to the request: what is within passes, the next one gets 429, the next minute is a new one."""

from __future__ import annotations

import secrets
import time
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from edge import somebody, through_proxy, wait_for_room

# Path, method, how many a client has in a minute.
LIMITS = {
    "login": ("/api/login", "POST", 5),
    "registration": ("/api/register", "POST", 3),
    "api": ("/api/orders", "GET", 120),
    "global": ("/", "GET", 1000),
}


@pytest.mark.parametrize("name", LIMITS)
def test_exact_count(name: str) -> None:
    path, method, limit = LIMITS[name]
    wait_for_room(25)
    seen = through_proxy("lb1", limit + 5, path, method, X_Forwarded_For=somebody())
    refused = [status == 429 for status, *_ in seen]
    assert refused == [False] * limit + [True] * 5
    assert all(1 <= int(retry_after) <= 60 for _, retry_after, _ in seen[limit:])
    others = through_proxy("lb1", 1, path, method, X_Forwarded_For=somebody())
    assert others[0][0] != 429, "the limit is each client's own"


@pytest.mark.long
def test_retry_after_is_true_and_not_before() -> None:
    wait_for_room(25)
    client = somebody()
    retry_after = int(through_proxy("lb1", 6, "/api/login", "POST", X_Forwarded_For=client)[-1][1])
    deadline = time.monotonic() + retry_after
    time.sleep(max(0, retry_after - 4))
    early = through_proxy("lb1", 1, "/api/login", "POST", X_Forwarded_For=client)
    time.sleep(max(0.0, deadline - time.monotonic()) + 0.5)
    late = through_proxy("lb1", 1, "/api/login", "POST", X_Forwarded_For=client)
    assert (early[0][0], late[0][0] != 429) == (429, True)


@pytest.mark.parametrize(
    "path", ["/API/Login/", "/api//login", "/api/%6Cogin", "/x/../api/login", "/api/v1/auth/login"]
)
def test_no_way_around_by_spelling(path: str) -> None:
    wait_for_room(15)
    seen = through_proxy("lb1", 6, path, "POST", X_Forwarded_For=somebody())
    assert [status == 429 for status, *_ in seen] == [False] * 5 + [True]


# The last group but those of a host is a zero, as written or as left out; two networks that begin alike.
@pytest.mark.parametrize("network", ["2001:db8:{:x}:7", "2001:db8:{:x}:0", "2001:0:0:{:x}"])
def test_ipv6_clients_count_by_network(network: str) -> None:
    wait_for_room(15)
    mine = network.format(1 + secrets.randbelow(65534))
    ends = ("1:2:3:4", "0:0:0:1", "0:0:beef:1", "ff:1:2:1", "0:0:0:5", "9:9:9:9")
    clients = [ip_address(f"{mine}:{end}") for end in ends]
    statuses = [logs_in(client) for client in clients]
    assert [status == 429 for status in statuses] == [False] * 5 + [True]
    assert logs_in(clients[0] + 2**64) != 429, "the next network is somebody else"


def logs_in(client: IPv4Address | IPv6Address) -> int:
    return int(through_proxy("lb1", 1, "/api/login", "POST", X_Forwarded_For=str(client))[0][0])
