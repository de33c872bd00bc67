# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the members of a cluster reach each other. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def addresses(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """{host: address} in the given order; private_address, or else ansible_host."""
    found: dict[str, str] = {}
    for host in hosts:
        if host not in hostvars:
            raise ValueError(f"{host} is not in the inventory. Add it there, or take it out of the list that names it.")
        variables = hostvars[host]
        address = variables.get("private_address") or variables.get("ansible_host")
        if not address:
            raise ValueError(f"{host} has no address. Set private_address or ansible_host for it in the inventory.")
        found[host] = str(address)
    return found
