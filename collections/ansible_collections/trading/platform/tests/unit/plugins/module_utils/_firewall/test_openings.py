# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._firewall.openings import (
    OpeningsError,
    build_ruleset,
    collapse,
    host_address,
    parse,
    parse_ports,
    ssh_sources,
)

GROUPS = {
    "app": ["app2", "app1"],
    "db": ["db1"],
    "lb": ["lb1"],
    "empty": [],
    "named": ["web.example"],
    "bare": ["bare1"],
}
ADDRESSES: dict[str, object] = {
    "app1": "10.0.0.11",
    "app2": "10.0.0.12",
    "db1": ["10.0.0.21", "fd00::21"],
    "lb1": "fd00::31",
    "web.example": "web.example.com",
}
SSH: dict[str, Any] = {"name": "ssh", "port": 22, "proto": "tcp", "sources": ["any"]}


def build(*openings: object, **more: Any) -> str:
    return build_ruleset(openings, GROUPS, ADDRESSES.get, **more)


def rules_of(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if "comment" in line]


@pytest.mark.parametrize(
    ("opening", "expected"),
    [
        ({"port": 80, "sources": ["any"]}, ['tcp dport { 80 } accept comment "x"']),
        ({"port": "80", "sources": ["any", "app"]}, ['tcp dport { 80 } accept comment "x"']),
        (
            {"port": [443, "8000-8010", 80], "proto": "udp", "sources": ["app"]},
            ['ip saddr { 10.0.0.11, 10.0.0.12 } udp dport { 80, 443, 8000-8010 } accept comment "x"'],
        ),
        (
            {"port": 5432, "sources": ["db"]},
            [
                'ip saddr { 10.0.0.21 } tcp dport { 5432 } accept comment "x"',
                'ip6 saddr { fd00::21 } tcp dport { 5432 } accept comment "x"',
            ],
        ),
        (
            {"port": 80, "sources": ["10.0.0.0/24", "app", "192.0.2.7"]},
            ['ip saddr { 10.0.0.0/24, 192.0.2.7 } tcp dport { 80 } accept comment "x"'],
        ),
        ({"port": 80, "sources": ["0.0.0.0/0", "app"]}, ['meta nfproto ipv4 tcp dport { 80 } accept comment "x"']),
        ({"proto": "vrrp", "sources": ["lb"]}, ['ip6 saddr { fd00::31 } meta l4proto 112 accept comment "x"']),
        ({"port": 80, "sources": ["empty"], "role": "app"}, []),
    ],
)
def test_an_opening_becomes_rules(opening: dict[str, Any], expected: list[str]) -> None:
    assert [line for line in rules_of(build(SSH, {"name": "x", **opening})) if '"x"' in line] == expected


def test_the_order_of_input_does_not_show() -> None:
    others = [
        {"name": "web", "port": [443, 80], "sources": ["any"]},
        {"name": "dns", "port": 53, "proto": "udp", "sources": ["app", "db"]},
        {"name": "dns", "port": 53, "proto": "udp", "sources": ["db", "app"]},
    ]
    one = build(SSH, *others)
    assert one == build(*reversed(others), SSH)
    assert len(rules_of(one)) == 4


def test_the_table_is_replaced_in_one_transaction_and_nothing_is_flushed() -> None:
    text = build(SSH)
    assert text.index("add table inet") < text.index("delete table inet") < text.index("table inet trading_platform {")
    assert "flush" not in text
    assert "policy drop" in text
    assert "log prefix" not in text


def test_drops_are_logged_at_a_limited_rate() -> None:
    assert 'limit rate 10/minute burst 20 packets log prefix "trading-firewall drop: "' in build(
        SSH, log_drops="10/minute"
    )


def chain(text: str, name: str) -> list[str]:
    return [line.strip() for line in text.partition(f"chain {name} {{")[2].partition("\t}")[0].strip().splitlines()]


def test_what_is_forwarded_into_containers_is_only_what_an_opening_lets_in() -> None:
    web = {"name": "web", "port": [8080, "9000-9010"], "sources": ["app"]}
    vrrp = {"name": "vrrp", "proto": "vrrp", "sources": ["lb"]}
    text = build(web, SSH, vrrp, bridges=["trading0", "docker0", "br-*", "docker0"], log_drops="10/minute")
    assert chain(text, "forward")[1:] == [
        f'oifname "{name}" jump containers' for name in ("br-*", "docker0", "trading0")
    ]
    assert chain(text, "containers") == [
        "ct state vmap { established : accept, related : accept, invalid : drop }",
        *(f'iifname "{name}" accept' for name in ("br-*", "docker0", "trading0")),
        'ct status dnat meta l4proto tcp ct original proto-dst 22 accept comment "ssh"',
        *(
            "ip saddr { 10.0.0.11, 10.0.0.12 } ct status dnat meta l4proto tcp ct original proto-dst "
            f'{port} accept comment "web"'
            for port in ("8080", "9000-9010")
        ),
        'limit rate 10/minute burst 20 packets log prefix "trading-firewall drop: " level info',
        "drop",
    ]


def test_a_host_without_containers_forwards_as_it_did() -> None:
    assert "forward" not in build(SSH)


@pytest.mark.parametrize("name", ["", "*", 'x" accept', "sixteen-letters-", "br *"])
def test_what_is_no_interface_is_refused(name: str) -> None:
    with pytest.raises(OpeningsError, match="is no name of an interface"):
        build(SSH, bridges=[name])


@pytest.mark.parametrize(
    ("opening", "said"),
    [
        ("ssh", "opening number 2 is 'ssh'. Write a mapping"),
        ({"port": 1, "sources": ["any"]}, "opening number 2 has the name None"),
        ({"name": 'a"b', "port": 1, "sources": ["any"]}, "has the name 'a\"b'"),
        (
            {"name": "x", "prot": "tcp", "port": 1, "sources": ["any"]},
            "'x': 'prot' is no key of an opening. Did you mean",
        ),
        ({"name": "x", "zzz": 1, "port": 1, "sources": ["any"]}, "'zzz' is no key of an opening. Known are name, port"),
        (
            {"name": "x", "port": 1, "proto": "sctp", "sources": ["any"]},
            "proto 'sctp' is unknown. Known are tcp, udp, ah",
        ),
        ({"name": "x", "port": 1, "proto": "vrrp", "sources": ["any"]}, "proto vrrp has no ports. Remove 'port'."),
        ({"name": "x", "sources": ["any"]}, "'x': it has no port"),
        ({"name": "x", "port": 70000, "sources": ["any"]}, "port '70000' is outside 1-65535"),
        ({"name": "x", "port": "http", "sources": ["any"]}, "port 'http' is no number and no range"),
        ({"name": "x", "port": 1}, "sources is None. Write a list"),
        ({"name": "x", "port": 1, "sources": "any"}, "sources is 'any'. Write a list"),
        ({"name": "x", "port": 1, "sources": []}, "sources is []. Write a list"),
        ({"name": "x", "port": 1, "sources": ["apps"]}, "source 'apps' is no group of this inventory"),
        ({"name": "x", "port": 1, "sources": ["apps"]}, "Did you mean the group 'app'?"),
        ({"name": "x", "port": 1, "sources": ["10.0.0.5/24"]}, "has host bits set. Write '10.0.0.0/24'."),
        (
            {"name": "x", "port": 1, "sources": ["named"]},
            "host 'web.example' of group 'named' has the address 'web.exa",
        ),
        ({"name": "x", "port": 1, "sources": ["bare"]}, "host 'bare1' of group 'bare' has no address"),
        ({"name": "x", "port": 1, "sources": ["bare"]}, "set private_address for that host in the inventory"),
    ],
)
def test_a_bad_opening_is_refused_with_what_to_do(opening: object, said: str) -> None:
    with pytest.raises(OpeningsError) as caught:
        build(SSH, opening)
    assert said in str(caught.value)
    assert len(caught.value.problems) == 1


def test_all_problems_come_at_once() -> None:
    with pytest.raises(OpeningsError) as caught:
        build({"name": "a", "port": 0, "sources": []}, {"name": "b", "port": 1, "sources": ["x", "y"]}, "c")
    assert len(caught.value.problems) == 5


@pytest.mark.parametrize(
    ("opening", "ssh_port", "admitted"),
    [
        (SSH, 22, True),
        ({**SSH, "port": "20-30"}, 22, True),
        ({**SSH, "sources": ["app"]}, 22, True),
        (SSH, 2222, False),
        ({**SSH, "proto": "udp"}, 22, False),
        ({**SSH, "sources": ["empty"]}, 22, False),
    ],
)
def test_rules_that_let_no_ssh_in_are_refused(opening: dict[str, Any], ssh_port: int, admitted: bool) -> None:
    if admitted:
        assert rules_of(build(opening, ssh_port=ssh_port))
        return
    with pytest.raises(OpeningsError, match=f"no firewall opening lets TCP port {ssh_port} in.*Nothing was changed"):
        build(opening, ssh_port=ssh_port)


@pytest.mark.parametrize("rate", ["10", "10/fortnight", "0/minute", '1/minute" accept'])
def test_a_log_rate_nft_would_not_take_is_refused(rate: str) -> None:
    with pytest.raises(OpeningsError, match="Write a rate such as '10/minute'"):
        build(SSH, log_drops=rate)


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        (22, ((22, 22),)),
        ("22", ((22, 22),)),
        ("20-30", ((20, 30),)),
        ([80, "70-90", 91, 443], ((70, 91), (443, 443))),
        ([80, 80], ((80, 80),)),
    ],
)
def test_ports_become_ranges_that_do_not_overlap(port: object, expected: tuple[tuple[int, int], ...]) -> None:
    assert parse_ports(port) == expected


@pytest.mark.parametrize("port", [True, None, [], 0, -1, "30-20", "1-2-3", "", 1.5, {}])
def test_what_is_no_port_is_refused(port: object) -> None:
    with pytest.raises(ValueError, match="port"):
        parse_ports(port)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["10.0.0.1", "10.0.0.0/31"], ["10.0.0.0/31"]),
        (["10.0.0.2", "10.0.0.3"], ["10.0.0.2/32", "10.0.0.3/32"]),
        (["fd00::1", "10.1.0.0/16", "10.0.0.0/8", "fd00::/8"], ["10.0.0.0/8", "fd00::/8"]),
        (["10.0.0.10", "10.0.0.9"], ["10.0.0.9/32", "10.0.0.10/32"]),
    ],
)
def test_networks_that_another_covers_go(given: list[str], expected: list[str]) -> None:
    assert [str(one) for one in collapse(ipaddress.ip_network(text) for text in given)] == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"ansible_host": "192.0.2.1"}, "192.0.2.1"),
        ({"ansible_host": "192.0.2.1", "private_address": "10.0.0.1"}, "10.0.0.1"),
        ({"private_address": ["10.0.0.1", "fd00::1"]}, ["10.0.0.1", "fd00::1"]),
        ({}, None),
    ],
)
def test_the_private_address_comes_first(variables: dict[str, Any], expected: object) -> None:
    assert host_address(variables) == expected


def test_who_may_reach_ssh_is_told_as_written() -> None:
    openings = [SSH | {"sources": ["ops", "10.0.0.0/8"]}, {"name": "web", "port": 80, "sources": ["any"]}]
    assert ssh_sources(openings, 22) == ["10.0.0.0/8", "ops"]
    assert parse(openings[1], 1).proto == "tcp"
