# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host patterns over the `groups` variable.

Ansible's own resolver belongs to the inventory manager, which a lookup can only reach by private names, and it applies
--limit. `groups` holds the whole inventory under any limit, so patterns are resolved over it here. A test compares the
two.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence

Groups = Mapping[str, Sequence[str]]

SUBSCRIPT = re.compile(r"^(?P<expr>.+)\[(?:(?P<index>-?\d+)|(?P<first>\d+)[:-](?P<last>\d*))\]$")
COLON_PARTS = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def split(pattern: str, groups: Groups) -> list[str]:
    """Split at commas, or at colons where the whole is no name by itself."""
    if "," in pattern:
        parts = pattern.split(",")
    elif pattern in groups or pattern in groups.get("all", ()) or pattern.startswith(("~", "@")):
        parts = [pattern]
    else:
        parts = COLON_PARTS.findall(pattern)
    return [part.strip() for part in parts if part.strip()]


def resolve(pattern: str, groups: Groups) -> list[str]:
    """The hosts a play's pattern names, in inventory order, ignoring --limit."""
    parts = split(pattern, groups)
    plain = [part for part in parts if part[0] not in "!&"] or ["all"]
    hosts: list[str] = []
    for part in plain:
        hosts.extend(host for host in matches(part, groups) if host not in hosts)
    for part in (part for part in parts if part[0] == "&"):
        wanted = set(matches(part[1:], groups))
        hosts = [host for host in hosts if host in wanted]
    for part in (part for part in parts if part[0] == "!"):
        unwanted = set(matches(part[1:], groups))
        hosts = [host for host in hosts if host not in unwanted]
    return hosts


def matches(part: str, groups: Groups) -> list[str]:
    """The hosts of one part without its ! or &: group, host, glob, ~regex, each with an optional [subscript]."""
    everyone = list(groups.get("all", ()))
    subscript = None if part.startswith("~") else SUBSCRIPT.match(part)
    expression = subscript["expr"] if subscript else part
    if expression in ("all", "*"):
        found = everyone
    else:
        names = [name for name in groups if _fits(name, expression)]
        found = [host for name in names for host in groups[name]]
        if not names or re.search(r"[.?*\[~]", expression):
            found += [host for host in everyone if _fits(host, expression)]
    found = list(dict.fromkeys(found))
    if not found and expression in LOCAL:
        found = [expression]
    return _subscripted(found, subscript) if subscript else found


def _fits(name: str, expression: str) -> bool:
    if expression.startswith("~"):
        return re.match(expression[1:], name) is not None
    return fnmatch.fnmatchcase(name, expression)


def _subscripted(hosts: list[str], subscript: re.Match[str]) -> list[str]:
    if subscript["index"] is not None:
        index = int(subscript["index"])
        return [hosts[index]] if -len(hosts) <= index < len(hosts) else []
    last = int(subscript["last"]) if subscript["last"] else len(hosts) - 1
    return hosts[int(subscript["first"]) : last + 1]


def limit_parts(limit: str, groups: Groups, read: Callable[[str], str]) -> list[str]:
    """The parts of --limit; `@file` stands for the lines of a file."""
    parts: list[str] = []
    for part in split(limit, groups):
        if part.startswith("@"):
            parts.extend(found for line in read(part[1:]).splitlines() for found in split(line, groups))
        else:
            parts.append(part)
    return parts


def unknown_parts(parts: Sequence[str], groups: Groups) -> list[tuple[str, list[str]]]:
    """Parts that name no host and no group, each with the names that come near."""
    names = [*groups, *groups.get("all", ())]
    unknown: list[tuple[str, list[str]]] = []
    for part in parts:
        bare = part.lstrip("!&")
        if bare in groups or matches(bare, groups):
            continue
        unknown.append((part, difflib.get_close_matches(bare, sorted(set(names)), n=3, cutoff=0.5)))
    return unknown
