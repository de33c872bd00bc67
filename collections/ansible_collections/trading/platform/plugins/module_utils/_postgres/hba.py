# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of pg_hba.conf from data: TLS and SCRAM always, sources as the firewall reads them. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.trading.platform.plugins.module_utils._firewall import openings

KEYS = ("databases", "roles", "sources")
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


class HbaError(ValueError):
    """Entries that cannot become lines; the message lists every problem."""


def lines(
    entries: Sequence[Any],
    members: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """The superuser on the host itself, the members among each other, then one line for each network of each entry."""
    # In order: the first line that matches decides. On the host it is the operating system that says who asks.
    found = ["local all all peer"]
    for role, database in (("replicator", "replication"), ("rewind", "postgres")):
        found += [f"hostssl {database} {role} {ipaddress.ip_network(one)} scram-sha-256" for one in members]
    problems: list[str] = []
    for position, entry in enumerate(entries, start=1):
        try:
            found.extend(_entry(entry, f"entry {position} of postgres_hba", groups, hostvars))
        except ValueError as exc:
            problems.append(str(exc))
    if problems:
        raise HbaError("; ".join(problems))
    return found


def _entry(
    entry: Any, where: str, groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    if not isinstance(entry, Mapping) or sorted(entry) != sorted(KEYS):
        raise HbaError(f"{where} is {entry!r}. Write a mapping with {', '.join(KEYS)}, each a list.")
    databases = ",".join(_names(entry["databases"], f"{where}: databases"))
    roles = ",".join(_names(entry["roles"], f"{where}: roles"))
    if entry["sources"] == []:
        return []  # A cluster that nobody was given access to yet.
    opening = {"name": where, "port": 1, "proto": "tcp", "sources": entry["sources"]}
    try:
        rule = openings.resolve(
            openings.parse(opening, 1), groups, lambda host: openings.host_address(hostvars.get(host, {}))
        )
    except openings.OpeningsError as exc:
        raise HbaError(str(exc).replace("firewall opening ", "").replace("'", "")) from exc
    networks = ["all"] if rule.anyone else [str(network) for network in rule.networks]
    return [f"hostssl {databases} {roles} {network} scram-sha-256" for network in networks]


def _names(names: Any, where: str) -> list[str]:
    if not isinstance(names, (list, tuple)) or not names:
        raise HbaError(f"{where} is {names!r}. Write a list of names.")
    for name in names:
        if not isinstance(name, str) or not _PLAIN.fullmatch(name):
            raise HbaError(f"{where}: {name!r} is no plain name. Use lower case letters, digits and _.")
        if name in ("postgres", "replication") and where.endswith("roles"):
            raise HbaError(f"{where}: {name} is not let in over the network.")
    return list(names)
