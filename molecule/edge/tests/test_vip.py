"""One address, held by a load balancer whose nginx answers: what a client sees when the holder's nginx or host dies."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from data import frozen, kill_host, start_host, stopped, wait_until
from fleet import address, inside
from vip import ADDRESS, LBS, answers, holders, other, the_holder, watched

METRIC = "/var/lib/prometheus/node-exporter/trading_keepalived.prom"

# Sent from a host that is no peer: "I have the address, and the highest priority there is".
STRANGER = """
import socket, struct, sys
vip, own, peer = (socket.inet_aton(word) for word in sys.argv[1:])
head = struct.pack("!BBBBHH", 0x31, 51, 255, 1, 30, 0) + vip
data = own + peer + struct.pack("!BBH", 0, 112, len(head)) + head
total = sum(struct.unpack(f"!{len(data) // 2}H", data))
total = (total & 0xFFFF) + (total >> 16)
check = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
raw.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
for _ in range(5):
    raw.sendto(head[:6] + struct.pack("!H", check) + head[8:], (socket.inet_ntoa(peer), 0))
"""


@pytest.fixture(autouse=True)
def healthy_afterwards() -> Iterator[None]:
    wait_until("both nginx answer", lambda: all(answers(address(name), 2) for name in LBS), 30)
    yield
    wait_until("both nginx answer again", lambda: all(answers(address(name), 2) for name in LBS), 60)
    the_holder()


def test_one_host_has_the_address_and_says_so() -> None:
    holder = the_holder()
    assert answers(timeout=2)
    for name in LBS:
        told = inside(name, f"cat {METRIC}").splitlines()
        assert f'trading_edge_address_held{{address="{ADDRESS}"}} {int(name == holder)}' in told


def test_nginx_stops_on_the_holder() -> None:
    holder = the_holder()
    try:
        with watched(4) as watch:
            inside(holder, "systemctl stop nginx")
        assert holders() == [other(holder)]
        told = inside(holder, f"cat {METRIC}")
        assert f'trading_edge_address_fault{{address="{ADDRESS}"}} 1' in told
    finally:
        inside(holder, "systemctl start nginx")
    assert watch.gap <= 2, watch
    # It does not come back by itself, which would be a second interruption.
    with watched(4) as after:
        pass
    assert (holders(), after.failed) == ([other(holder)], 0)


def test_nginx_hangs_on_the_holder() -> None:
    holder = the_holder()
    with watched(4) as watch, frozen(holder, "[n]ginx: "):
        wait_until("the other one has it", lambda: holders() == [other(holder)], 10)
    assert watch.gap <= 4, watch


def test_the_holder_dies() -> None:
    holder = the_holder()
    try:
        with watched(4) as watch:
            kill_host(holder)
        assert holders() == [other(holder)]
    finally:
        with watched(8) as after:
            start_host(holder)
    assert watch.gap <= 2, watch
    wait_until("its nginx answers again", lambda: answers(address(holder), 2), 60)
    assert (holders(), after.failed) == ([other(holder)], 0)


def test_the_address_stays_where_nobody_does_better() -> None:
    holder = the_holder()
    with stopped("nginx", *LBS):
        time.sleep(4)
        assert holders() == [holder]


def test_a_stranger_cannot_take_it() -> None:
    holder = the_holder()
    inside("app1", f"python3 -c '{STRANGER}' {ADDRESS} {address('app1')} {address(holder)}")
    time.sleep(2)
    assert holders() == [holder]
