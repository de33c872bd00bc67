# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that two roles want on one host."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from ansible_collections.trading.platform.plugins.module_utils._preflight.problem import Problem

EVERYWHERE = frozenset({"", "*", "0.0.0.0", "::", "[::]", "any", "None"})  # noqa: S104
HIGHEST = 65535


@dataclass(frozen=True)
class Listen:
    role: str
    first: int
    last: int
    proto: str = "tcp"
    process: str = ""
    address: str = ""

    def __str__(self) -> str:
        return f"{self.first}/{self.proto}" if self.first == self.last else f"{self.first}-{self.last}/{self.proto}"


def parse(element: Mapping[str, object]) -> Listen:
    """One element of a role's `<role>_listens`; ValueError says what is wrong with it."""
    role = str(element.get("role", ""))
    first, _dash, last = str(element.get("port", "")).partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        raise ValueError(
            f"{role}_listens: port must be a number or a range like 8000-8010, not {element.get('port')!r}"
        )
    low, high = int(first), int(last or first)
    if not 0 < low <= high <= HIGHEST:
        raise ValueError(f"{role}_listens: port {element.get('port')!r} is not within 1-{HIGHEST}")
    proto = str(element.get("proto") or "tcp").lower()
    if proto not in ("tcp", "udp"):
        raise ValueError(f"{role}_listens: proto must be tcp or udp, not {proto!r}")
    return Listen(role, low, high, proto, str(element.get("process") or ""), str(element.get("address") or ""))


def collide(one: Listen, two: Listen) -> bool:
    """Same protocol, a common port and a common address."""
    if one.proto != two.proto or one.last < two.first or two.last < one.first:
        return False
    if one.address in EVERYWHERE or two.address in EVERYWHERE:
        return True
    return _address(one.address) == _address(two.address)


def _address(text: str) -> object:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return text


def check(host: str, listens: Sequence[Listen]) -> list[Problem]:
    """Every pair of roles of one host that cannot both start."""
    return [
        Problem(
            what=f"The roles {one.role} and {two.role} both listen on {two}.",
            hosts=(host,),
            do=f"Move one of them to another port or address by its variables, or take one of the roles off the host "
            f"(see {one.role}_listens and {two.role}_listens in the roles' defaults).",
        )
        for one, two in combinations(listens, 2)
        if one.role != two.role and collide(one, two)
    ]
