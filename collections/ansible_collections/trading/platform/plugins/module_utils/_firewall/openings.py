# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Openings as data: checked, groups resolved to addresses, rendered as one nftables table. Pure, for the controller."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

TABLE = "trading_platform"
# By number: a small host has no /etc/protocols, and nft would not know the names.
PORTLESS = {"ah": 51, "esp": 50, "gre": 47, "igmp": 2, "ospf": 89, "vrrp": 112}
PORTED = ("tcp", "udp")
KEYS = ("name", "port", "proto", "sources", "role")
HIGHEST_PORT = 65535

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]  # noqa: UP007 - pylint reads it as Python 3.8
PortRange = tuple[int, int]
AddressOf = Callable[[str], object]


class OpeningsError(ValueError):
    """Openings that cannot become rules. The message lists every problem, one a line."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Opening:
    """One opening, checked, with sources as they were written."""

    name: str
    proto: str
    ports: tuple[PortRange, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """One opening with its sources as addresses; anyone=True means no limit on the source."""

    name: str
    proto: str
    ports: tuple[PortRange, ...]
    anyone: bool
    networks: tuple[Network, ...]


def build_ruleset(
    openings: Sequence[object],
    groups: Mapping[str, Sequence[str]],
    address_of: AddressOf,
    ssh_port: int = 22,
    log_drops: str = "",
    *,
    bridges: Sequence[str] = (),
) -> str:
    """From openings to the text that nft loads. Refuses what would lock the controller out for certain."""
    problems: list[str] = []
    rules: set[Rule] = set()
    for position, raw in enumerate(openings, start=1):
        try:
            rules.add(resolve(parse(raw, position), groups, address_of))
        except OpeningsError as error:
            problems.extend(error.problems)
    if not problems:
        problems.extend(_ssh_problems(rules, ssh_port))
    if log_drops and not re.fullmatch(r"[1-9][0-9]*/(second|minute|hour|day)", log_drops):
        problems.append(f"log_drops is {log_drops!r}. Write a rate such as '10/minute', or '' to log nothing.")
    problems.extend(
        f"container bridge {name!r} is no name of an interface. Write 'docker0', or 'br-*' for all that begin so."
        for name in bridges
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,15}[*]?", name)
    )
    if problems:
        raise OpeningsError(problems)
    return render(rules, log_drops, bridges)


def ssh_sources(openings: Sequence[object], ssh_port: int) -> list[str]:
    """Who may reach SSH by these openings, as written: what a person has to look at when the controller was cut off."""
    found: set[str] = set()
    for position, raw in enumerate(openings, start=1):
        opening = parse(raw, position)
        if opening.proto == "tcp" and _covers(opening.ports, ssh_port):
            found.update(opening.sources)
    return sorted(found)


def parse(raw: object, position: int) -> Opening:
    """Check one opening by itself; groups are not looked at here."""
    if not isinstance(raw, Mapping):
        raise OpeningsError([f"firewall opening number {position} is {raw!r}. Write a mapping with {', '.join(KEYS)}."])
    name = raw.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.:/-]{0,63}", name):
        raise OpeningsError(
            [
                f"firewall opening number {position} has the name {name!r}. "
                "Give it one of up to 64 letters, digits, spaces and _ . : / -"
            ]
        )
    where = f"firewall opening '{name}'"
    problems = [_unknown_key(where, str(key)) for key in raw if key not in KEYS]
    proto = raw.get("proto", "tcp")
    ports: tuple[PortRange, ...] = ()
    if proto in PORTED:
        ports = _collect(problems, where, parse_ports, raw.get("port"))
    elif proto not in PORTLESS:
        problems.append(f"{where}: proto {proto!r} is unknown. Known are {', '.join((*PORTED, *sorted(PORTLESS)))}.")
    elif raw.get("port") is not None:
        problems.append(f"{where}: proto {proto} has no ports. Remove 'port'.")
    sources = _collect(problems, where, parse_sources, raw.get("sources"))
    if problems:
        raise OpeningsError(problems)
    return Opening(str(name), str(proto), ports, sources)


def parse_sources(sources: object) -> tuple[str, ...]:
    """A list of names and networks, each to be resolved later."""
    if not isinstance(sources, (list, tuple)) or not sources or not all(isinstance(one, str) for one in sources):
        raise ValueError(f"sources is {sources!r}. Write a list of 'any', group names, addresses or CIDRs.")
    return tuple(str(one) for one in sources)


def parse_ports(port: object) -> tuple[PortRange, ...]:
    """An int, '80', '8000-8010' or a list of these, as sorted ranges that do not overlap."""
    if port is None or port == []:
        raise ValueError("it has no port. Give a number, a range 'a-b' or a list of these.")
    items = port if isinstance(port, (list, tuple)) else [port]
    merged: list[PortRange] = []
    for low, high in sorted(_port_range(item) for item in items):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def resolve(opening: Opening, groups: Mapping[str, Sequence[str]], address_of: AddressOf) -> Rule:
    """Turn the sources of an opening into networks, merged and sorted."""
    problems: list[str] = []
    networks: set[Network] = set()
    where = f"firewall opening '{opening.name}'"
    for source in opening.sources:
        if source != "any":
            networks.update(_collect(problems, where, _source_networks, source, groups, address_of))
    if problems:
        raise OpeningsError(problems)
    anyone = "any" in opening.sources
    return Rule(opening.name, opening.proto, opening.ports, anyone, () if anyone else collapse(networks))


def collapse(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Leave out what another network covers (nft refuses overlaps in one set), IPv4 first. Neighbours stay apart."""
    kept: list[Network] = []
    for network in sorted(set(networks), key=lambda one: (one.version, int(one.network_address), one.prefixlen)):
        # Sorted like this, only the last one kept can cover the next.
        if not (kept and kept[-1].version == network.version and network.network_address in kept[-1]):
            kept.append(network)
    return tuple(kept)


def host_address(variables: Mapping[str, Any]) -> object:
    """What a host is reached by inside the platform: its private address, or else where Ansible reaches it."""
    return variables.get("private_address") or variables.get("ansible_host")


def render(rules: Iterable[Rule], log_drops: str = "", bridges: Iterable[str] = ()) -> str:
    """The whole table. The same rules give the same text, in whatever order they come."""
    ordered = sorted(rules, key=lambda rule: (rule.proto, rule.ports, rule.name, str(rule.networks)))
    log = ""
    if log_drops:
        log = f'\n\t\tlimit rate {log_drops} burst 20 packets log prefix "trading-firewall drop: " level info'
    names = sorted(set(bridges))
    forward = ""
    if names:
        forward = _FORWARD.format(
            inside=_indented(f'iifname "{name}" accept' for name in names),
            into=_indented(f'oifname "{name}" jump containers' for name in names),
            openings=_indented(_lines(ordered, _published_match)),
            log=log,
        )
    return _TEMPLATE.format(table=TABLE, openings=_indented(_lines(ordered, _input_match)), log=log, forward=forward)


def _indented(lines: Iterable[str]) -> str:
    return "".join(f"\n\t\t{line}" for line in lines)


# "add" before "delete" so that the delete never fails; all three in one transaction, so no packet sees a gap.
# Output is left alone, and forward but into containers.
# ICMP: errors, path MTU, ping. ICMPv6 also neighbour discovery and MLD.
_TEMPLATE = """\
# Managed by Ansible (trading.platform.guarded_ruleset). Changes by hand are undone by the next run.
add table inet {table}
delete table inet {table}
table inet {table} {{
\tchain input {{
\t\ttype filter hook input priority filter; policy drop;
\t\tiif "lo" accept
\t\tct state vmap {{ established : accept, related : accept, invalid : drop }}
\t\ticmp type {{ destination-unreachable, echo-request, time-exceeded, parameter-problem }} accept
\t\ticmpv6 type {{ destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request }} accept
\t\ticmpv6 type {{ nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }} ip6 hoplimit 255 accept
\t\ticmpv6 type {{ mld-listener-query, mld-listener-report, mld2-listener-report }} ip6 saddr fe80::/10 accept\
{openings}{log}
\t}}{forward}
}}
"""

# A published port is a port of the host: the openings decide on it, by the port that the client dialled. Without that
# translation, to a container's own address, nothing comes in from outside. What containers do among themselves is
# Docker's to decide; its rules come on top.
_FORWARD = """
\tchain containers {{
\t\tct state vmap {{ established : accept, related : accept, invalid : drop }}{inside}{openings}{log}
\t\tdrop
\t}}
\tchain forward {{
\t\ttype filter hook forward priority filter; policy accept;{into}
\t}}"""


def _lines(rules: Iterable[Rule], matches: Callable[[Rule], list[str]]) -> list[str]:
    """Rules that differ in nothing but who published them are one."""
    return list(dict.fromkeys(line for rule in rules for match in matches(rule) for line in _rule_lines(rule, match)))


def _input_match(rule: Rule) -> list[str]:
    if rule.proto in PORTED:
        return [f"{rule.proto} dport {{ {', '.join(_port_text(one) for one in rule.ports)} }}"]
    return [f"meta l4proto {PORTLESS[rule.proto]}"]


def _published_match(rule: Rule) -> list[str]:
    """One a port: nft 1.0.6 lists a set of them in a form that it cannot read back, and the dead-man reads back."""
    if rule.proto not in PORTED:
        return []
    dialled = f"ct status dnat meta l4proto {rule.proto} ct original proto-dst"
    return [f"{dialled} {_port_text(one)}" for one in rule.ports]


def _rule_lines(rule: Rule, match: str) -> list[str]:
    tail = f'{match} accept comment "{rule.name}"'
    if rule.anyone:
        return [tail]
    lines = []
    for version, family, nfproto in ((4, "ip", "ipv4"), (6, "ip6", "ipv6")):
        networks = [one for one in rule.networks if one.version == version]
        if any(one.prefixlen == 0 for one in networks):
            lines.append(f"meta nfproto {nfproto} {tail}")
        elif networks:
            lines.append(f"{family} saddr {{ {', '.join(_network_text(one) for one in networks)} }} {tail}")
    return lines


def _ssh_problems(rules: Iterable[Rule], ssh_port: int) -> list[str]:
    for rule in rules:
        if rule.proto == "tcp" and _covers(rule.ports, ssh_port) and (rule.anyone or rule.networks):
            return []
    return [
        f"no firewall opening lets TCP port {ssh_port} in, so the next connection of Ansible would be refused. "
        "Nothing was changed. Add an opening for SSH (the base role publishes one), "
        "or set ssh_port if sshd listens elsewhere."
    ]


def _covers(ports: Iterable[PortRange], port: int) -> bool:
    return any(low <= port <= high for low, high in ports)


def _source_networks(source: str, groups: Mapping[str, Sequence[str]], address_of: AddressOf) -> list[Network]:
    if source in groups:
        return [network for host in groups[source] for network in _host_networks(host, source, address_of(host))]
    try:
        return [ipaddress.ip_network(source)]
    except ValueError as error:
        if "host bits" in str(error):
            proper = ipaddress.ip_network(source, strict=False)
            raise ValueError(f"source '{source}' has host bits set. Write '{proper}'.") from None
    close = difflib.get_close_matches(source, groups, n=1)
    hint = f" Did you mean the group '{close[0]}'?" if close else ""
    raise ValueError(f"source '{source}' is no group of this inventory, no address and no CIDR.{hint}")


def _host_networks(host: str, group: str, value: object) -> list[Network]:
    values = value if isinstance(value, (list, tuple)) else [value]
    try:
        return [ipaddress.ip_network(ipaddress.ip_address(str(one))) for one in values]
    except ValueError:
        said = "no address" if value is None else f"the address {value!r}, which is a name or no valid address"
        raise ValueError(
            f"host '{host}' of group '{group}' has {said}. A firewall rule needs an IP address: "
            "set private_address for that host in the inventory."
        ) from None


def _port_range(item: object) -> PortRange:
    text = str(item)
    found = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", text)
    if isinstance(item, bool) or not found:
        raise ValueError(f"port {item!r} is no number and no range 'a-b'.")
    low, high = int(found[1]), int(found[2] or found[1])
    if not 1 <= low <= high <= HIGHEST_PORT:
        raise ValueError(f"port {text!r} is outside 1-{HIGHEST_PORT} or the wrong way round.")
    return low, high


def _port_text(ports: PortRange) -> str:
    low, high = ports
    return str(low) if low == high else f"{low}-{high}"


def _network_text(network: Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _unknown_key(where: str, key: str) -> str:
    close = difflib.get_close_matches(key, KEYS, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else f" Known are {', '.join(KEYS)}."
    return f"{where}: '{key}' is no key of an opening.{hint}"


def _collect(problems: list[str], where: str, function: Callable[..., Any], *args: object) -> Any:
    """Call function; put its complaint on the list and go on with nothing, so that all complaints come at once."""
    try:
        return function(*args)
    except ValueError as error:
        problems.append(f"{where}: {error}")
        return ()
