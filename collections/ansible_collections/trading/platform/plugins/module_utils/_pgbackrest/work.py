# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import planning, wal
from .archive import Archive
from .client import LOCKED, Pgbackrest
from .journal import Journal
from .objects import Listing, absent, read_manifest
from .stanza import Set, Stanza, added, facts, iso, readable, restorable, told
from .wal import BackupError

Answer = dict[str, Any]
PLANNED = ("stanza", "system_id", "restore", "set", "timeline", "bytes", "data_directory")
# pgBackRest's own mark of a restore that has not come to its end.
UNFINISHED = "backup.manifest"


def perform(params: Mapping[str, Any], check: bool) -> Answer:
    return ACTIONS[params["action"]](Pgbackrest(params["stanza"]), params, check)


def info(client: Pgbackrest, params: Mapping[str, Any], check: bool) -> Answer:
    del check
    stanza = client.info()
    readable(stanza)
    latest = None
    if params["bin_directory"] and any(one["max"] for one in stanza.archive):
        with tempfile.TemporaryDirectory(prefix="pgbackrest-") as work:
            archive = _archive(client, stanza, params, work)
            names = archive.listing.segments
            commit = archive.last(max(wal.timeline_of(name) for name in names)) if names else None
            latest = commit.time.isoformat() if commit else None
    earliest = stanza.earliest
    span = {"earliest": iso(earliest) if earliest else None, "latest": latest}
    return {"changed": False, **facts(stanza), "recoverable": span, "lines": told(stanza, span)}


def _archive(client: Pgbackrest, stanza: Stanza, params: Mapping[str, Any], work: str) -> Archive:
    return Archive(client, stanza, params["bin_directory"], Path(work), params["max_segments"])


def backup(client: Pgbackrest, params: Mapping[str, Any], check: bool) -> Answer:
    before = client.info()
    readable(before)
    if before.running:
        raise BackupError(f"refused: another backup or expire of stanza {before.name} runs. Nothing was changed.")
    if check:
        return {"changed": True, "lines": [f"would take a {params['type']} backup"]}
    began = time.monotonic()
    _exclusive(client, "backup", f"--type={params['type']}")
    seconds = round(time.monotonic() - began, 1)
    new = added(before.sets, client.info().sets)
    if len(new) != 1:
        raise BackupError(
            f"pgbackrest backup of stanza {before.name} ended well, but info shows {len(new)} new sets: look at "
            "`pgbackrest info`, retention may have removed it at once."
        )
    one = new[0]
    lines = [f"{one.label} in {seconds} s"]
    if one.type != params["type"]:
        lines.append(f"it is a {one.type} backup: there was none that a {params['type']} one could build on")
    return {"changed": True, "set": asdict(one), "seconds": seconds, "lines": lines}


def _exclusive(client: Pgbackrest, command: str, *arguments: str) -> None:
    try:
        client.run(command, *arguments, changed="What is in the repository before it is as it was.")
    except BackupError as error:
        if error.details.get("code") == LOCKED:
            raise BackupError(
                f"refused: another backup, expire or restore of stanza {client.stanza} runs on this host. "
                "Wait for it, then say it again. Nothing was changed."
            ) from error
        raise


def plan(client: Pgbackrest, params: Mapping[str, Any], check: bool) -> Answer:
    del check
    stanza = client.info()
    restorable(stanza, params["system_id"])
    wanted = planning.Wanted(
        params["target"],
        params["timeline"],
        Path(params["data_directory"]),
        params["delta"],
        params["prove"],
    )
    with tempfile.TemporaryDirectory(prefix="pgbackrest-") as work:
        archive = _archive(client, stanza, params, work)
        found = planning.plan(client, stanza, archive, wanted, Journal(params["journal"]))
    return {"changed": False, "plan": found, "lines": found["lines"]}


def restore(client: Pgbackrest, params: Mapping[str, Any], check: bool) -> Answer:
    wanted = params["plan"]
    data = Path(params["data_directory"])
    aside = Path(params["aside"]) if params["aside"] else None
    lacking = [key for key in PLANNED if key not in wanted]
    if lacking:
        raise BackupError(f"the plan lacks {', '.join(lacking)}: hand over plan of action=plan. Nothing was changed.")
    if (wanted["stanza"], wanted["data_directory"]) != (client.stanza, str(data)):
        raise BackupError(
            f"the plan is for stanza {wanted['stanza']} into {wanted['data_directory']}, not {client.stanza} into "
            f"{data}: make a new plan. Nothing was changed."
        )
    restorable(client.info(), str(wanted["system_id"]))
    stopped(data)
    resumed = unfinished(data)
    moving = ready(data, aside, params["delta"], resumed)
    planning.enough(planning.disk(data, int(wanted["bytes"]), params["delta"] or resumed))
    if check:
        return {"changed": True, "lines": [f"would restore {wanted['set']} into {data}"]}
    if moving and aside:
        data.rename(aside)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    began = time.monotonic()
    where = f"The old data is in {aside}." if aside and aside.exists() else f"{data} is not complete."
    delta = ["--delta"] if params["delta"] or resumed else []
    client.run("restore", *arguments(wanted, data, params["target_action"]), *delta, changed=where)
    seconds = round(time.monotonic() - began, 1)
    size = planning.held(data)
    Journal(params["journal"]).add(
        {"action": "restore", "at": iso(int(time.time())), "set": wanted["set"], "bytes": size, "seconds": seconds}
    )
    return {
        "changed": True,
        "seconds": seconds,
        "bytes": size,
        "set": wanted["set"],
        "timeline": wanted["timeline"],
        "aside": str(aside) if aside and aside.exists() else None,
        "lines": [f"{wanted['set']} into {data}: {size} bytes in {seconds} s"],
    }


def arguments(wanted: Mapping[str, Any], data: Path, action: str) -> list[str]:
    kind = wanted["restore"]["type"]
    given = [f"--set={wanted['set']}", f"--type={kind}", f"--pg1-path={data}"]
    # By its number: `latest` could be one that does not hold the target.
    given.append(f"--target-timeline={int(wanted['timeline'])}")
    if kind != "default":
        given += [f"--target={wanted['restore']['target']}", f"--target-action={action}"]
    return given


def stopped(data: Path) -> None:
    """By the directory that processes work in: a postmaster.pid may be stale, and its children may outlive it."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            inside = (entry / "cwd").samefile(data)
            program = (entry / "comm").read_text(encoding="utf-8").strip()
        except OSError:
            continue
        if inside and program in ("postgres", "postmaster"):
            raise BackupError(
                f"PostgreSQL runs on {data} (process {entry.name}): stop it, by Patroni if Patroni started it. "
                "Nothing was changed."
            )


def unfinished(data: Path) -> bool:
    return (data / UNFINISHED).exists() and not (data / "global/pg_control").exists()


def ready(data: Path, aside: Path | None, delta: bool, resumed: bool) -> bool:
    """Whether the old directory has to be moved. What an earlier try left is gone on with."""
    filled = data.is_dir() and any(data.iterdir())
    if resumed or not filled:
        return False
    if aside is None:
        if not delta:
            raise BackupError(
                f"{data} is not empty: give aside, a path that it is moved to, or delta: true to restore over it. "
                "Nothing was changed."
            )
        return False
    if aside.exists():
        raise BackupError(f"{aside} is there already: give another path for the old data. Nothing was changed.")
    if not aside.parent.is_dir():
        raise BackupError(f"{aside.parent} does not exist, so {data} cannot be moved there. Nothing was changed.")
    devices = {each.stat().st_dev for each in (data, data.parent, aside.parent)}
    if len(devices) != 1:
        raise BackupError(
            f"{data} and {aside} are not on one file system, or {data} is a mount point: it cannot be renamed. "
            "Nothing was changed."
        )
    if not os.access(data.parent, os.W_OK) or not os.access(aside.parent, os.W_OK):
        raise BackupError(
            f"the user {os.geteuid()} may not write in {data.parent} and {aside.parent}: {data} cannot be renamed. "
            "Nothing was changed."
        )
    return True


def verify(client: Pgbackrest, params: Mapping[str, Any], check: bool) -> Answer:
    """pgBackRest's own verify says whether bytes are wrong. It neither names them, nor misses what is not there."""
    del check
    stanza = client.info()
    readable(stanza)
    sets = [stanza.find(params["set"])] if params["set"] else list(stanza.sets)
    root = f"backup/{stanza.name}"
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
        archive = _archive(client, stanza, {**params, "bin_directory": params["bin_directory"] or ""}, work)
        names = segments(archive.listing, sets, whole=not params["set"])
        damaged |= {f"{archive.root}/{name}": "missing" for name in names if name not in archive.listing.segments}
        told = client.says_damaged(params["set"])
        if told:
            intact = {path: each for path, each in objects.items() if path not in damaged}
            damaged |= planning.altered(client, intact)
            for name in names:
                if name in archive.listing.segments and (said := archive.problem(name, archive.work / "proof")):
                    damaged[archive.listing.segments[name][0].path] = said
    lines = [f"{len(sets)} sets, {len(objects)} objects, {len(names)} WAL segments"]
    if told and not damaged:
        said = (
            f"pgbackrest verify reports damage outside of what was looked at: `pgbackrest --stanza={stanza.name} verify"
        )
        if not params["set"]:
            raise BackupError(f"{said} --output=text` says more. No object could be named.", damaged=[])
        lines.append(f"{said} --output=text`; action verify without set names it")
    if damaged:
        listed = planning.listed([f"{name} ({said})" for name, said in damaged.items()])
        raise BackupError(
            f"{len(damaged)} objects of stanza {stanza.name} are damaged: {listed}. Take a full backup; sets and "
            "targets that need them are lost unless another repository has them.",
            damaged=[{"name": name, "problem": said} for name, said in damaged.items()],
        )
    return {"changed": False, "damaged": [], "lines": lines}


def _manifest(client: Pgbackrest, one: Set, root: str) -> dict[str, Any]:
    """Two copies are kept; pgBackRest falls back to the second without a word."""
    path = f"{root}/{one.label}/backup.manifest"
    first, second = client.content(path), client.content(f"{path}.copy")
    if first != second:
        raise BackupError("differs from backup.manifest.copy, one of them is damaged")
    return dict(read_manifest(first, one.label, root))


def copies(client: Pgbackrest, stanza: Stanza) -> dict[str, str]:
    found = {}
    for path in (f"backup/{stanza.name}/backup.info", f"archive/{stanza.name}/archive.info"):
        try:
            if client.content(path) != client.content(f"{path}.copy"):
                found[path] = "differs from its .copy, one of them is damaged"
        except BackupError as error:
            found[path] = f"unreadable, or its .copy: {error}"
    return found


def segments(listing: Listing, sets: list[Set], whole: bool) -> list[str]:
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


def expire(client: Pgbackrest, params: Mapping[str, Any], check: bool) -> Answer:
    before = client.info()
    readable(before)
    if check:
        # Only pgBackRest knows what its retention removes.
        return {"changed": False, "expired": [], "lines": ["would expire by the configured retention"]}
    _exclusive(client, "expire")
    after = client.info()
    gone = [one.label for one in added(after.sets, before.sets)]
    return {
        "changed": bool(gone) or before.archive != after.archive,
        "expired": gone,
        "archive": list(after.archive),
        "lines": [f"expired: {', '.join(gone) or 'no set'}"],
    }


ACTIONS = {"info": info, "backup": backup, "plan": plan, "restore": restore, "verify": verify, "expire": expire}
