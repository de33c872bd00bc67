# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that overlap and addresses that two hosts claim."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Union

from ansible_collections.trading.platform.plugins.module_utils._preflight.problem import Problem

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]  # noqa: UP007 - pylint reads it as Python 3.8


@dataclass(frozen=True)
class Named:
    """A variable's network, with the hosts that have it."""

    variable: str
    text: str
    hosts: tuple[str, ...] = ()
    where: str = ""


def cidrs(value: object) -> list[str]:
    """A CIDR, a list of them, or a list of {base: cidr} (Docker's address pools)."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return cidrs(value.get("base"))
    if isinstance(value, Sequence):
        return [text for item in value for text in cidrs(item)]
    return [str(value)]


def check(found: Sequence[Named]) -> list[Problem]:
    """Networks that do not parse, and each pair that overlaps. The same value of one variable is one network."""
    unique: dict[tuple[str, str], Named] = {(item.variable, item.text): item for item in reversed(found)}
    problems: list[Problem] = []
    parsed: list[tuple[Named, Network]] = []
    for item in reversed(unique.values()):
        try:
            parsed.append((item, ipaddress.ip_network(item.text)))
        except ValueError as exc:
            problems.append(
                Problem(
                    what=f"{item.variable}: {item.text!r} is not a network: {exc}.",
                    where=item.where,
                    hosts=item.hosts,
                    do="Write it as address/prefix with no host bits set, for example 10.20.0.0/16.",
                )
            )
    for (one, net_one), (two, net_two) in combinations(parsed, 2):
        if net_one.version == net_two.version and net_one.overlaps(net_two):
            problems.append(
                Problem(
                    what=f"The networks {one.variable} {one.text} and {two.variable} {two.text} overlap.",
                    where=" and ".join(dict.fromkeys(place for place in (one.where, two.where) if place)),
                    do="Give one of them another range: hosts would send packets for the one into the other.",
                )
            )
    return problems


def duplicates(claims: Sequence[tuple[str, str, str, str]]) -> list[Problem]:
    """(variable, address, host, where): an address belongs to one host."""
    owners: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for variable, address, host, where in claims:
        owners.setdefault((variable, address), []).append((host, where))
    return [
        Problem(
            what=f"{variable} {address} is given to {' and '.join(host for host, _where in hosts)}.",
            where=" and ".join(dict.fromkeys(where for _host, where in hosts if where)),
            do="Give each host its own address: both would be configured on the same machine.",
        )
        for (variable, address), hosts in owners.items()
        if len({host for host, _where in hosts}) > 1
    ]
