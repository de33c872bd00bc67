# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what was asked for to one plan; refusals come before anything is stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import choice, wal
from .archive import Archive
from .checking import altered, listed
from .client import Pgbackrest
from .journal import Journal, estimate
from .objects import absent, missing, read_manifest
from .stanza import Set, Stanza
from .wal import BackupError, Commit, Span

# Beside the set itself: WAL that is fetched for recovery, temporary files, a little growth.
RESERVE = 1.1


@dataclass(frozen=True)
class Wanted:
    """What the task asked for."""

    target: Mapping[str, str]
    timeline: int | None
    data_directory: Path
    delta: bool
    prove: bool


@dataclass(frozen=True)
class Choice:
    """Where recovery ends, and which set it begins with."""

    set: Set
    spans: Sequence[Span]
    type: str
    target: str
    last_segment: str
    lines: list[str] = field(default_factory=list)


def choose(archive: Archive, stanza: Stanza, wanted: Wanted) -> Choice:
    spans, known = choice.chosen_lineage(wanted.timeline, archive.histories, archive.listing.segments)
    kind, value = wanted.target["type"], wanted.target.get("value") or ""
    if kind == "latest":
        return _latest(archive, stanza.good, spans)
    if not value:
        raise BackupError(f"target of type {kind} needs a value. Nothing was changed.")
    if kind == "time":
        return _time(archive, stanza.good, spans, known, value, search=wanted.timeline is None)
    if kind == "lsn":
        return _lsn(archive, stanza.good, spans, wal.read_lsn(value), f"the position {value}")
    if kind == "name":
        return _restore_point(archive, stanza.good, spans, value)
    return _xid(archive, stanza.good, spans, value)


def _end(archive: Archive, timeline: int) -> str:
    names = archive.on(timeline)
    if not names:
        raise BackupError(
            f"the archive holds no WAL of timeline {timeline}: it was expired, or nothing of it was archived yet. "
            "Nothing was changed."
        )
    return names[-1]


def _latest(archive: Archive, sets: Sequence[Set], spans: Sequence[Span]) -> Choice:
    one = choice.set_for(sets, spans, "the latest state", lambda each: True)
    return Choice(one, spans, "default", "", _end(archive, spans[-1].timeline))


def _time(
    archive: Archive, sets: Sequence[Set], spans: Sequence[Span], known: Sequence[int], value: str, *, search: bool
) -> Choice:
    moment = choice.read_moment(value)
    timeline = choice.timeline_at(moment, spans, archive.bounds, known) if search else spans[-1].timeline
    spans = choice.upto(timeline, spans)
    last = archive.last(timeline)
    if last is None:
        raise BackupError(f"the archived WAL of timeline {timeline} holds no commit. Nothing was changed.")
    if moment > last.time:
        raise choice.after_the_end(moment, last)
    one = choice.set_for(
        sets, spans, f"the target {moment.isoformat()}", lambda each: each.usable_from <= moment.timestamp()
    )
    if moment == last.time:
        # A time is reached only by a commit after it, so the end itself has to be said as a position.
        position = wal.write_lsn(last.lsn)
        said = f"{moment.isoformat()} is the last archived commit: restored up to its position {position}"
        return Choice(one, spans, "lsn", position, wal.name(timeline, last.lsn // wal.SEGMENT), [said])
    names = archived(archive, spans, one, _end(archive, timeline))
    holder = archive.holding(names, lambda commit: commit.time > moment)
    return Choice(one, spans, "time", choice.write_moment(moment), holder)


def _lsn(archive: Archive, sets: Sequence[Set], spans: Sequence[Span], lsn: int, what: str) -> Choice:
    timeline = choice.owner(lsn, spans).timeline
    spans = choice.upto(timeline, spans)
    last = _end(archive, timeline)
    one = choice.set_for(sets, spans, what, lambda each: each.end <= lsn)
    if lsn // wal.SEGMENT >= wal.number(last):
        # In the last segment it must lie before the last record, or recovery ends without having reached it.
        positions = wal.read_positions(archive.dump(last))
        if not positions or lsn > positions[-1]:
            end = wal.write_lsn(positions[-1]) if positions else f"in {last}"
            raise BackupError(
                f"{what} lies after the end of the archived WAL on timeline {timeline}: the latest is {end}. If the "
                "primary runs, pg_switch_wal() has the rest archived. Nothing was changed."
            )
    return Choice(one, spans, "lsn", wal.write_lsn(lsn), wal.name(timeline, lsn // wal.SEGMENT))


def _restore_point(archive: Archive, sets: Sequence[Set], spans: Sequence[Span], value: str) -> Choice:
    for name in newest_first(archive, sets, spans):
        points = [lsn for label, lsn in wal.read_restore_points(archive.dump(name, "--rmgr=XLOG")) if label == value]
        if points:
            # By position: PostgreSQL would stop at the first point of that name, and there can be two.
            found = _lsn(archive, sets, spans, points[-1], f"the restore point {value}")
            found.lines.append(f"restore point {value} lies at {found.target}")
            return found
    raise _not_there(archive, f"a restore point {value!r}", spans)


def _xid(archive: Archive, sets: Sequence[Set], spans: Sequence[Span], value: str) -> Choice:
    if not value.isdecimal():
        raise BackupError(f"{value!r} is no transaction id, which is a number. Nothing was changed.")
    for name in newest_first(archive, sets, spans):
        commit = next((one for one in archive.commits(name) if one.xid == int(value)), None)
        if commit:
            return _at_commit(archive, sets, spans, commit)
    raise _not_there(archive, f"a commit of transaction {value}", spans)


def _at_commit(archive: Archive, sets: Sequence[Set], spans: Sequence[Span], commit: Commit) -> Choice:
    found = _lsn(archive, sets, spans, commit.lsn, f"the commit of transaction {commit.xid}")
    said = f"transaction {commit.xid} committed at {commit.time.isoformat()}, position {found.target}"
    return Choice(found.set, found.spans, "xid", str(commit.xid), found.last_segment, [said])


def _not_there(archive: Archive, what: str, spans: Sequence[Span]) -> BackupError:
    return BackupError(
        f"the archived WAL after the first backup holds no {what.removeprefix('a ')} on timeline "
        f"{spans[-1].timeline} or what it comes from ({archive.looked} segments looked at). It may lie on another "
        "timeline (option timeline), or not be archived yet (pg_switch_wal() on the primary). Nothing was changed."
    )


def newest_first(archive: Archive, sets: Sequence[Set], spans: Sequence[Span]) -> list[str]:
    oldest = min(sets, key=lambda one: wal.number(one.wal_start))
    return archived(archive, spans, oldest, _end(archive, spans[-1].timeline))[::-1]


def archived(archive: Archive, spans: Sequence[Span], one: Set, last: str) -> list[str]:
    """What is there for a search; whether it is without a gap up to the target is another question."""
    wanted = wal.path(spans, wal.number(one.wal_start), wal.number(last))
    return [name for name in wanted if name in archive.listing.segments]


def archived_path(archive: Archive, spans: Sequence[Span], one: Set, last: str) -> list[str]:
    wanted = wal.path(spans, wal.number(one.wal_start), wal.number(last))
    lost = missing(wanted, archive.listing)
    if lost:
        raise BackupError(
            f"the WAL between set {one.label} and the target has a gap: {listed(lost)} is missing in the archive. "
            "A target before it can be restored, or one after the stop of a later set. Nothing was changed.",
            missing=lost,
        )
    return wanted


def disk(path: Path, size: int, delta: bool) -> dict[str, Any]:
    """The old directory stays aside, so the whole has to fit beside it; a delta restore replaces in place."""
    there = next(each for each in [path, *path.parents] if each.exists())
    stat = os.statvfs(there)
    needed = int(size * RESERVE) - (held(path) if delta else 0)
    return {"path": str(there), "needed": max(0, needed), "free": stat.f_bavail * stat.f_frsize}


def held(path: Path) -> int:
    total = 0
    for folder, _folders, files in os.walk(path):
        for name in files:
            try:
                total += (Path(folder) / name).lstat().st_size
            except FileNotFoundError:
                continue
    return total


def enough(found: Mapping[str, Any]) -> None:
    lacking = found["needed"] - found["free"]
    if lacking > 0:
        raise BackupError(
            f"the file system of {found['path']} has {found['free']} bytes free, the restore needs {found['needed']}: "
            f"{lacking} bytes ({lacking / (1 << 30):.2f} GiB) are missing. Make room there. Nothing was changed.",
            disk=dict(found),
        )


class DamagedSetError(BackupError):
    """A set that cannot be read: an older one, and more WAL, may lead to the same target."""

    def __init__(self, label: str, message: str, **details: object) -> None:
        super().__init__(message, **details)
        self.label = label


def plan(client: Pgbackrest, stanza: Stanza, archive: Archive, wanted: Wanted, journal: Journal) -> dict[str, Any]:
    try:
        return _plan(client, stanza, archive, wanted, journal)
    except DamagedSetError as damaged:
        others = replace(stanza, sets=tuple(one for one in stanza.sets if one.label != damaged.label))
        try:
            found = plan(client, others, archive, wanted, journal)
        except BackupError:
            # No other set leads there: what is wrong with the nearest one is what has to be told.
            raise damaged from None
        found["lines"].insert(0, f"set {damaged.label} cannot be read, so an older one is taken; see action verify")
        return found


def _plan(client: Pgbackrest, stanza: Stanza, archive: Archive, wanted: Wanted, journal: Journal) -> dict[str, Any]:
    found = choose(archive, stanza, wanted)
    needed = archived_path(archive, found.spans, found.set, found.last_segment)
    space = disk(wanted.data_directory, found.set.size, wanted.delta)
    enough(space)
    lines = [
        *found.lines,
        f"set {found.set.label} of {found.set.stop}, timeline {found.spans[-1].timeline}, {len(needed)} WAL segments",
    ]
    if wanted.prove:
        lines += prove(client, stanza, found.set, lambda name: archive.problem(name, archive.work / "proof"), needed)
    return {
        "stanza": stanza.name,
        "repo": stanza.repo,
        "system_id": stanza.system_id,
        "target": dict(wanted.target),
        "restore": {"type": found.type, "target": found.target},
        "set": found.set.label,
        "set_stop": found.set.stop,
        "timeline": found.spans[-1].timeline,
        "wal_from": needed[0],
        "wal_to": needed[-1],
        "wal_segments": len(needed),
        "bytes": found.set.size,
        "repo_bytes": found.set.repo_size,
        "seconds": estimate(journal.entries(), found.set.size),
        "disk": space,
        "data_directory": str(wanted.data_directory),
        "delta": wanted.delta,
        "proved": wanted.prove,
        "lines": lines,
    }


def prove(
    client: Pgbackrest, stanza: Stanza, one: Set, problem: Callable[[str], str], names: Sequence[str]
) -> list[str]:
    """The set, and every segment on the way, can be read and is what was written."""
    root = f"backup/{stanza.name}"
    try:
        objects = read_manifest(client.content(f"{root}/{one.label}/backup.manifest"), one.label, root)
    except BackupError as error:
        raise DamagedSetError(one.label, f"set {one.label} cannot be read: {error}") from error
    damaged = absent(objects, client.listing(root), root)
    if not damaged and client.says_damaged(one.label):
        damaged = altered(client, objects)
    if damaged:
        raise DamagedSetError(one.label, unreadable(f"set {one.label}", damaged), damaged=named(damaged))
    lost = {name: said for name in names if (said := problem(name))}
    if lost:
        raise BackupError(unreadable(f"the WAL after set {one.label}", lost), damaged=named(lost))
    return [f"proved: {len(objects)} objects of set {one.label} and {len(names)} WAL segments are readable"]


def unreadable(what: str, damaged: Mapping[str, str]) -> str:
    said = listed([f"{name} ({problem})" for name, problem in damaged.items()])
    return (
        f"{what} cannot be read: {said}. Choose a target that another set reaches; see action verify. "
        "Nothing was changed."
    )


def named(damaged: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "problem": said} for name, said in damaged.items()]
