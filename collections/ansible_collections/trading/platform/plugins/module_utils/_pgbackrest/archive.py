# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archived WAL, read by pg_waldump in a private directory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from . import wal
from .client import Pgbackrest
from .objects import Listing, read_archive
from .stanza import Stanza, short
from .wal import BackupError, Commit

# Two neighbours are read together, since a record may cross over; more need not lie on the disk.
KEPT = 3


class Archive:
    def __init__(self, client: Pgbackrest, stanza: Stanza, bin_directory: str, work: Path, limit: int) -> None:
        self.client, self.work, self.limit = client, work, limit
        self.waldump = Path(bin_directory) / "pg_waldump"
        self.root = f"archive/{stanza.name}/{stanza.archive_id}"
        self.listing: Listing = read_archive(client.listing(self.root), self.root)
        self.histories = {
            timeline: client.content(path).decode(errors="replace")
            for timeline, path in sorted(self.listing.histories.items())
        }
        self.looked = 0
        self._kept: dict[str, Path] = {}
        self._commits: dict[str, list[Commit]] = {}
        self._bounds: dict[int, tuple[Commit | None, Commit | None]] = {}

    def on(self, timeline: int) -> list[str]:
        return sorted(name for name in self.listing.segments if wal.timeline_of(name) == timeline)

    def begin(self, timeline: int) -> int:
        return wal.lineage(timeline, self.histories)[-1].begin

    def bounds(self, timeline: int) -> tuple[Commit | None, Commit | None]:
        """The first and the last commit of a timeline, without what its first segment repeats of its parent."""
        if timeline not in self._bounds:
            names = self.on(timeline)
            last = self._found(reversed(names))
            self._bounds[timeline] = (self._found(names)[0] if last else None, last[-1] if last else None)
        return self._bounds[timeline]

    def last(self, timeline: int) -> Commit | None:
        """The last commit alone: one end to look at instead of two."""
        found = self._found(reversed(self.on(timeline)))
        return found[-1] if found else None

    def _found(self, names: Iterable[str]) -> list[Commit]:
        for name in names:
            if commits := self.commits(name):
                return commits
        return []

    def commits(self, name: str) -> list[Commit]:
        if name not in self._commits:
            begin = self.begin(wal.timeline_of(name))
            self._commits[name] = [
                one
                for one in wal.read_commits(self.dump(name, "--rmgr=Transaction"))
                if begin <= one.lsn < self.end(name)
            ]
        return self._commits[name]

    @staticmethod
    def end(name: str) -> int:
        return (wal.number(name) + 1) * wal.SEGMENT

    def holding(self, names: Sequence[str], passed: Callable[[Commit], bool]) -> str:
        """The first segment with a commit that has passed the target. The last one is known to have it."""
        best = high = len(names) - 1
        low = 0
        while low < high:
            middle = at = (low + high) // 2
            while at < high and not self.commits(names[at]):
                at += 1
            if at == high:
                high = middle
            elif passed(self.commits(names[at])[-1]):
                best, high = at, middle
            else:
                low = at + 1
        return names[best]

    def dump(self, name: str, *filters: str) -> str:
        """The records that begin in a segment, and those of the next."""
        self.looked += 1
        if self.looked > self.limit:
            raise BackupError(
                f"looked at {self.limit} WAL segments without an answer, the last was {name}: raise max_segments "
                "(-e backup_max_segments=500), or say the target as lsn. Nothing was changed."
            )
        timeline = wal.timeline_of(name)
        following = wal.name(timeline, wal.number(name) + 1)
        wanted = [name, *([following] if following in self.listing.segments else [])]
        for one in wanted:
            self._fetch(one)
        return self._run(
            name,
            f"--path={self.work}",
            f"--timeline={timeline}",
            f"--start={wal.write_lsn(wal.number(name) * wal.SEGMENT)}",
            f"--end={wal.write_lsn(self.end(wanted[-1]))}",
            *filters,
        )

    def _run(self, name: str, *arguments: str) -> str:
        try:
            done = subprocess.run(
                [str(self.waldump), *arguments],
                check=False,
                capture_output=True,
                text=True,
                errors="replace",
                env={"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C"},
                cwd="/",
            )
        except OSError as error:
            raise BackupError(
                f"{self.waldump} cannot be started: {error}; look at bin_directory. Nothing was changed."
            ) from error
        if done.returncode:
            raise BackupError(
                f"WAL segment {name} cannot be read by {self.waldump}: {short(done.stderr)}. Is it of the cluster's "
                "major version? Else the segment is damaged: see action verify. Nothing was changed."
            )
        return done.stdout

    def _fetch(self, name: str) -> None:
        if name in self._kept:
            return
        while len(self._kept) >= KEPT:
            self._kept.pop(next(iter(self._kept))).unlink()
        self._kept[name] = self.work / name
        if problem := self.problem(name, self._kept[name]):
            raise BackupError(f"WAL segment {name} is {problem}. Nothing was changed.")

    def problem(self, name: str, into: Path) -> str:
        """What is wrong with a segment; its name in the archive ends in its SHA-1."""
        copies = self.listing.segments.get(name, ())
        if len(copies) != 1:
            return f"{len(copies)} times in the archive, must be once"
        try:
            digest = self.client.unpack(copies[0].path, into)
        except BackupError as error:
            if "program" in error.details:
                raise
            return f"unreadable: {short(str(error).removesuffix('. Nothing was changed.'))}"
        return "" if digest == copies[0].sha1 else f"damaged: its SHA-1 is {digest}, by its name {copies[0].sha1}"
