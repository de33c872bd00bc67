# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dpkg's status file says about packages. No I/O: texts and names come in, lists go out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

# A hyphen at the end would tell apt-get to remove the package.
_ENTRY = re.compile(r"([a-z0-9][a-z0-9+.-]*[a-z0-9+.])(?::([a-z0-9-]+))?(?:=([A-Za-z0-9.+:~-]+))?")
_IN_BETWEEN = frozenset({"half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending"})


class PackagesError(ValueError):
    """What was asked for is not a package."""


class Wanted(NamedTuple):
    """A package as a task names it, and its parts."""

    entry: str
    name: str
    arch: str
    version: str


class Entry(NamedTuple):
    """A package as dpkg knows it."""

    name: str
    arch: str
    version: str
    state: str


class Look(NamedTuple):
    """What has to be done: install the missing ones, and finish what was interrupted."""

    missing: list[str]
    interrupted: dict[str, str]


def wanted(entries: Iterable[str]) -> list[Wanted]:
    """The packages that a task names, each once. Raises PackagesError."""
    parsed = {entry: _ENTRY.fullmatch(entry) for entry in entries}
    bad = [entry for entry, match in parsed.items() if not match]
    if bad:
        raise PackagesError(
            f"not a package: {', '.join(map(repr, bad))}. Write pkg, pkg:arch or pkg=version, with the exact version; "
            "patterns are not understood."
        )
    return [Wanted(entry, match[1], match[2] or "", match[3] or "") for entry, match in parsed.items() if match]


def parse(text: str) -> Iterator[Entry]:
    """The entries of /var/lib/dpkg/status. A package of two architectures has two."""
    for stanza in text.split("\n\n"):
        field = f"\n{stanza}\n"
        words = _value(field, "Status").split()
        if words:
            # want, error flag, state. "hold ok installed" is installed, and so is "deinstall ok installed".
            state = words[-1] if words[1:2] == ["ok"] or words[-1] != "installed" else "half-installed"
            yield Entry(_value(field, "Package"), _value(field, "Architecture"), _value(field, "Version"), state)


def look(names: Sequence[Wanted], status: str, journal: Sequence[str]) -> Look:
    """Compare. `journal` holds the files of /var/lib/dpkg/updates, in order: entries newer than the status."""
    entries, interrupted = _now(status, journal)
    return Look(_missing(names, entries), interrupted)


def inventory(status: str, journal: Sequence[str]) -> str:
    """What is installed, a line each; nothing while an installation is unfinished."""
    entries, interrupted = _now(status, journal)
    return "" if interrupted else "\n".join(f"{one.name} {one.arch} {one.version}" for one in entries)


def in_inventory(names: Sequence[Wanted], told: str) -> bool:
    """Whether an inventory that was taken before has all of them."""
    lines = [line.split(" ") for line in told.splitlines()]
    entries = [Entry(name, arch, version, "installed") for name, arch, version in lines]
    return bool(entries) and not _missing(names, entries)


def _now(status: str, journal: Sequence[str]) -> tuple[list[Entry], dict[str, str]]:
    """What is installed, and what is in between."""
    entries = {(entry.name, entry.arch): entry for entry in parse("\n\n".join([status, *journal]))}
    interrupted = {f"{one.name}:{one.arch}": one.state for one in entries.values() if one.state in _IN_BETWEEN}
    if journal and not interrupted:
        interrupted["dpkg"] = "stopped in the middle"
    return [one for one in entries.values() if one.state == "installed"], interrupted


def _missing(names: Sequence[Wanted], installed: Iterable[Entry]) -> list[str]:
    asked = {one.name for one in names}
    there = [entry for entry in installed if entry.name in asked]
    return [one.entry for one in names if not any(_fits(one, entry) for entry in there if entry.name == one.name)]


def to_reinstall(interrupted: Mapping[str, str]) -> list[str]:
    """Packages whose files are there in part: dpkg cannot finish these, and apt fetches them only when told to."""
    return [name.removesuffix(":all") for name, state in interrupted.items() if state == "half-installed"]


def describe(missing: Iterable[str], interrupted: Mapping[str, str]) -> dict[str, str]:
    """Before and after, a line per package, for diff mode."""
    before = [f"{name}: {state}\n" for name, state in interrupted.items()] + [f"{name}: absent\n" for name in missing]
    after = [f"{name}: finished\n" for name in interrupted] + [f"{name}: installed\n" for name in missing]
    return {"before": "".join(before), "after": "".join(after)}


def verdict(missing: Sequence[str], interrupted: Mapping[str, str], said: str) -> str:
    """The message when packages are not there after all was tried. `said` is what apt or dpkg complained about."""
    parts = [f"not installed: {', '.join(missing)}"] if missing else []
    if interrupted:
        parts.append(f"half installed: {', '.join(f'{name} ({state})' for name, state in interrupted.items())}")
    what = f"{'; '.join(parts)}. {said.strip()}".strip()
    finish = "dpkg --configure -a; " if interrupted else ""
    return (
        f"{what}\nRun `{finish}apt-get install {' '.join(missing) or '--fix-broken'}` on the host to see why. "
        "`apt-cache policy PACKAGE` shows whether a source in /etc/apt has the package."
    )


def _fits(one: Wanted, entry: Entry) -> bool:
    return one.arch in ("", entry.arch) and one.version in ("", entry.version)


def _value(stanza: str, field: str) -> str:
    start = stanza.find(f"\n{field}: ")
    if start < 0:
        return ""
    start += len(field) + 3
    return stanza[start : stanza.index("\n", start)].strip()
