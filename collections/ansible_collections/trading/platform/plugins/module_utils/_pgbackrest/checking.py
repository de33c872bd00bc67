# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether all that a repository must hold is there, and is what was written.

pgBackRest's own verify says whether bytes are wrong. It neither names them, nor misses a whole set or
a log.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import wal
from .archive import Archive
from .client import Pgbackrest, Slice
from .objects import Listing, absent, read_manifest
from .stanza import Set, Stanza, readable
from .wal import BackupError


@dataclass(frozen=True)
class Look:
    """What was looked at, and what is wrong by the object's name."""

    sets: int
    objects: int
    segments: int
    damaged: Mapping[str, str]
    # pgBackRest reports damage, and no object could be named.
    unnamed: bool = False

    @property
    def sound(self) -> bool:
        return not (self.damaged or self.unnamed)


def verify(client: Pgbackrest, label: str | None = None) -> list[str]:
    """Each repository; what was looked at, for a person. Raises what is wrong in any of them."""
    stanzas = client.info()
    if label:
        # It lies in one of them.
        stanzas = [one for one in stanzas if any(each.label == label for each in one.sets)] or stanzas[:1]
    lines, troubles = [], []
    for stanza in stanzas:
        try:
            lines.append(verified(client.on(stanza.repo), stanza, label))
        except BackupError as error:
            troubles.append(error)
    if troubles:
        damaged = [one for error in troubles for one in error.details.get("damaged", ())]  # type: ignore[attr-defined]
        raise BackupError(" ".join(map(str, troubles)), damaged=damaged)
    return lines


def verified(client: Pgbackrest, stanza: Stanza, label: str | None) -> str:
    readable(stanza)
    found = look(client, stanza, label)
    if not found.sound:
        # A backup, an expiry or the archiver may be at work: what stays wrong is.
        (now,) = client.info()
        readable(now)
        found = both(found, look(client, now, label))
    if found.damaged:
        listed_ = listed([f"{name} ({said})" for name, said in found.damaged.items()])
        raise BackupError(
            f"{len(found.damaged)} objects of {stanza.where} are damaged: {listed_}. Take a full backup; sets and "
            "targets that need them are lost unless another repository has them.",
            damaged=[{"repo": stanza.repo, "name": name, "problem": said} for name, said in found.damaged.items()],
        )
    command = f"pgbackrest --stanza={stanza.name} --repo={stanza.repo} verify --output=text"
    outside = f"pgbackrest reports damage outside of what was looked at: `{command}` says more"
    if found.unnamed and not label:
        raise BackupError(f"{stanza.where}: {outside}. No object could be named.", damaged=[])
    line = f"{stanza.where}: {found.sets} sets, {found.objects} objects, {found.segments} WAL segments"
    return f"{line}; {outside}; without a set it is named" if found.unnamed else line


def both(first: Look, second: Look) -> Look:
    """What was wrong twice."""
    damaged = {name: said for name, said in second.damaged.items() if name in first.damaged}
    return replace(second, damaged=damaged, unnamed=first.unnamed and second.unnamed)


def look(client: Pgbackrest, stanza: Stanza, label: str | None) -> Look:
    sets = [stanza.find(label)] if label else list(stanza.sets)
    root = f"backup/{stanza.name}"
    # The listing first: what a backup adds meanwhile is not missed.
    files = client.listing(root)
    damaged: dict[str, str] = {}
    objects: dict[str, Any] = {}
    for one in sets:
        try:
            objects |= _manifest(client, one, root)
        except BackupError as error:
            damaged[f"{root}/{one.label}/backup.manifest"] = str(error)
    damaged |= copies(client, stanza)
    damaged |= absent(objects, files, root)
    with tempfile.TemporaryDirectory(prefix="pgbackrest-") as work:
        archive = Archive(client, stanza, "", Path(work), 0)
        names = segments(archive.listing, sets, whole=not label)
        damaged |= {f"{archive.root}/{name}": "missing" for name in names if name not in archive.listing.segments}
        told = client.says_damaged(label)
        if told:
            damaged |= altered(client, {path: each for path, each in objects.items() if path not in damaged})
            for name in names:
                if name in archive.listing.segments and (said := archive.problem(name, archive.work / "proof")):
                    damaged[archive.listing.segments[name][0].path] = said
    return Look(len(sets), len(objects), len(names), damaged, unnamed=told and not damaged)


def _manifest(client: Pgbackrest, one: Set, root: str) -> dict[str, list[Slice]]:
    """Two copies are kept; pgBackRest falls back to the second without a word."""
    path = f"{root}/{one.label}/backup.manifest"
    first, second = client.content(path), client.content(f"{path}.copy")
    if first != second:
        raise BackupError("differs from backup.manifest.copy, one of them is damaged")
    return read_manifest(first, one.label, root)


def copies(client: Pgbackrest, stanza: Stanza) -> dict[str, str]:
    found = {}
    for path in (f"backup/{stanza.name}/backup.info", f"archive/{stanza.name}/archive.info"):
        try:
            if client.content(path) != client.content(f"{path}.copy"):
                found[path] = "differs from its .copy, one of them is damaged"
        except BackupError as error:
            found[path] = f"unreadable, or its .copy: {error}"
    return found


def segments(listing: Listing, sets: Sequence[Set], whole: bool) -> list[str]:
    """What must be there: each set's own WAL, and for the whole everything after the oldest set without a gap."""
    wanted = {
        wal.name(one.timeline, number)
        for one in sets
        for number in range(wal.number(one.wal_start), wal.number(one.wal_stop) + 1)
        if wal.timeline_of(one.wal_stop) == one.timeline
    }
    if whole:
        oldest = min((wal.number(one.wal_start) for one in sets), default=0)
        there = {name for name in listing.segments if wal.number(name) >= oldest}
        wanted |= set(listing.segments) | set(wal.gaps(there | wanted))
    return sorted(wanted)


def altered(client: Pgbackrest, objects: Mapping[str, Sequence[Slice]]) -> dict[str, str]:
    """Objects whose bytes are others than the manifest says, each read once."""
    found = {}
    for path, slices in objects.items():
        try:
            bad = client.damaged(path, slices)
        except BackupError as error:
            found[path] = f"unreadable: {error}"
            continue
        if bad:
            found[path] = f"other bytes than were written, in {listed(bad)}"
    return found


def listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
