# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which line of the inventory defines a variable. Works on text, so that files which do not decrypt count too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

KEY = re.compile(r"""^(?P<indent>[ ]*)(?:-[ ]+)?(?P<quote>["']?)(?P<name>[A-Za-z_]\w*)(?P=quote)[ ]*:(?:[ ]|$)""")


@dataclass(frozen=True)
class Place:
    path: str
    line: int
    kind: str  # "group", "host" or "inventory"
    owner: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


Index = Mapping[str, Sequence[Place]]


def index(files: Iterable[tuple[str, str]]) -> dict[str, list[Place]]:
    """Variable name to the lines that define it, from (path, text)."""
    found: dict[str, list[Place]] = {}
    for path, text in files:
        kind, owner = scope_of(path)
        for number, line in enumerate(text.splitlines(), 1):
            key = KEY.match(line)
            # In group_vars and host_vars only the top level is a variable; hosts.yml nests them.
            if key and (kind == "inventory" or not key["indent"]):
                found.setdefault(key["name"], []).append(Place(path, number, kind, owner))
    return found


def scope_of(path: str) -> tuple[str, str]:
    """group_vars/db/postgres.yml belongs to the group db, host_vars/db1.yml to the host db1."""
    parts = PurePath(path).parts
    for folder, kind in (("group_vars", "group"), ("host_vars", "host")):
        if folder in parts[:-1]:
            owner = parts[len(parts) - 1 - parts[::-1].index(folder) + 1]
            return kind, re.sub(r"\.(ya?ml|json)$", "", owner)
    return "inventory", ""


def where(name: str, host: str, groups: Sequence[str], lines: Index) -> str:
    """The line that wins for a host: its host_vars, the inventory file, then its groups from the nearest to all."""

    def rank(place: Place) -> int:
        if place.kind == "host":
            return 0
        if place.kind == "inventory":
            return 1
        return 2 + order.index(place.owner)

    order = [*groups, "all"]
    fitting = [
        place
        for place in lines.get(name, ())
        if place.kind == "inventory"
        or (place.kind == "host" and place.owner == host)
        or (place.kind == "group" and place.owner in order)
    ]
    return str(min(fitting, key=rank)) if fitting else ""
