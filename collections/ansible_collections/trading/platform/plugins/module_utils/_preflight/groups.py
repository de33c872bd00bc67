# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups that must exist, groups that vote, and the hosts a limit names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ansible_collections.trading.platform.plugins.module_utils._preflight.problem import Problem
from ansible_collections.trading.platform.plugins.module_utils._site.patterns import Groups


def required(groups: Groups, names: Sequence[str], inventory: str) -> list[Problem]:
    """Each group must exist and have a host."""
    found: list[Problem] = []
    for name in names:
        if groups.get(name):
            continue
        near = difflib.get_close_matches(name, [group for group in groups if group not in names], n=1, cutoff=0.6)
        hint = f" Did you mean the group {near[0]} to be it?" if near and name not in groups else ""
        state = "has no hosts" if name in groups else "is missing"
        found.append(
            Problem(
                what=f"The group {name} {state}.",
                where=inventory,
                do=f"Add a group {name} with at least one host to the inventory.{hint}",
            )
        )
    return found


def quorum(groups: Groups, names: Sequence[str], inventory: str) -> list[Problem]:
    """An even number of voters survives no more failures than the odd number below it, and splits in halves."""
    found: list[Problem] = []
    for name in names:
        hosts = tuple(groups.get(name, ()))
        if len(hosts) > 1 and len(hosts) % 2 == 0:
            found.append(
                Problem(
                    what=f"The group {name} has {len(hosts)} members, an even number: it keeps quorum no better than "
                    f"{len(hosts) - 1} and stops when it splits in halves.",
                    where=inventory,
                    hosts=hosts,
                    do=f"Add one host to the group {name}, or remove one.",
                )
            )
        elif len(hosts) == 1:
            found.append(
                Problem(
                    what=f"The group {name} has one member: it stops when {hosts[0]} does.",
                    where=inventory,
                    do=f"Give the group {name} three hosts in an environment that must survive the loss of one.",
                    warning=True,
                )
            )
    return found


def limit(unknown: Sequence[tuple[str, Sequence[str]]], limit_text: str) -> list[Problem]:
    """Ansible only warns of these, and then changes fewer hosts than were meant."""
    return [
        Problem(
            what=f"--limit names {part!r}, which is no host and no group of this inventory.",
            where=f"--limit {limit_text}",
            do=f"Did you mean {' or '.join(near)}?"
            if near
            else "Name a host or a group: `ansible-inventory --graph` shows them.",
        )
        for part, near in unknown
    ]
