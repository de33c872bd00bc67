# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that no role knows, and variables that have been renamed or removed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

NEAR = 0.7


def owner(name: str, roles: Iterable[str]) -> str | None:
    """The role whose prefix a variable carries; the longest wins (`docker_host_x` is not the role docker's)."""
    fitting = [role for role in roles if name.startswith(f"{role}_") and len(name) > len(role) + 1]
    return max(fitting, key=len, default=None)


def unknown(
    defined: Iterable[str], known: Mapping[str, set[str]], accepted: Iterable[str] = ()
) -> list[tuple[str, str, str | None]]:
    """(variable, role, nearest known name) of each variable with a role's prefix that no role's spec knows."""
    everything = set().union(*known.values()) | set(accepted)
    found: list[tuple[str, str, str | None]] = []
    for name in sorted(set(defined) - everything):
        role = owner(name, known)
        if role is not None:
            found.append((name, role, nearest(name, known[role])))
    return found


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, sorted(candidates), n=1, cutoff=NEAR)), None)


def renamed(defined: Iterable[str], table: Mapping[str, Mapping[str, object]]) -> list[tuple[str, str]]:
    """(variable, what to do) of each variable that the table says was renamed or removed."""
    return [(name, _advice(table[name])) for name in sorted(set(defined)) if name in table]


def _advice(entry: Mapping[str, object]) -> str:
    since = f" in {entry['since']}" if entry.get("since") else ""
    note = f" {entry['note']}" if entry.get("note") else ""
    if entry.get("new"):
        return f"It was renamed to {entry['new']}{since}: write the new name.{note}"
    return f"It was removed{since}: delete the line.{note}"


def suggested(near: str | None, role: str) -> str:
    """What to do about an unknown variable."""
    if near:
        return f"Did you mean {near}? Rename it, or delete the line."
    return (
        f"Delete it, or look the right name up in roles/{role}/README.md. "
        f"A variable of your own must not begin with {role}_."
    )
