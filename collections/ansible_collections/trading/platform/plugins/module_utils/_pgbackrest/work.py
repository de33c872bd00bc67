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

from . import checking, planning, wal
from .archive import Archive
from .client import LOCKED, Pgbackrest
from .journal import Journal
from .stanza import UNREADABLE, Stanza, added, facts, iso, readable, restorable, short, told
from .wal import BackupError

Answer = dict[str, Any]
PLANNED = ("stanza", "repo", "system_id", "restore", "set", "timeline", "bytes", "data_directory")
UNCHANGED = " Nothing was changed."
# pgBackRest's own mark of a restore that has not come to its end.
UNFINISHED = "backup.manifest"


def perform(params: Mapping[str, Any], check: bool) -> Answer:
    return ACTIONS[params["action"]](Pgbackrest(params["stanza"]), params, check)


def info(client: Pgbackrest, params: Mapping[str, Any], check: bool) -> Answer:
    del check
    stanzas = client.info()
    if all(one.code == UNREADABLE for one in stanzas):
        readable(stanzas[0])
    found, lines = [], []
    for stanza in stanzas:
        span = recoverable(client.on(stanza.repo), stanza, params)
        found.append({**facts(stanza), "recoverable": span})
        lines += [f"repository {stanza.repo}:"] * (len(stanzas) > 1) + told(stanza, span)
    return {"changed": False, "repositories": found, "lines": lines}


def recoverable(client: Pgbackrest, stanza: Stanza, params: Mapping[str, Any]) -> dict[str, str | None]:
    latest = None
    if params["bin_directory"] and any(one["max"] for one in stanza.archive):
        with tempfile.TemporaryDirectory(prefix="pgbackrest-") as work:
            archive = _archive(client, stanza, params, work)
            names = archive.listing.segments
            commit = archive.last(max(wal.timeline_of(name) for name in names)) if names else None
            latest = commit.time.isoformat() if commit else None
    return {"earliest": iso(stanza.earliest) if stanza.earliest else None, "latest": latest}


def _archive(client: Pgbackrest, stanza: Stanza, params: Mapping[str, Any], work: str) -> Archive:
    return Archive(client, stanza, params["bin_directory"], Path(work), params["max_segments"])


def backup(client: Pgbackrest, params: Mapping[str, Any], check: bool) -> Answer:
    before = client.info()[0]
    readable(before)
    client = client.on(before.repo)
    if before.running:
        raise BackupError(f"refused: another backup or expire of stanza {before.name} runs. Nothing was changed.")
    if check:
        return {"changed": True, "lines": [f"would take a {params['type']} backup"]}
    began = time.monotonic()
    _exclusive(client, "backup", f"--type={params['type']}")
    seconds = round(time.monotonic() - began, 1)
    new = added(before.sets, client.info()[0].sets)
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
    """From the first repository that leads to the target."""
    del check
    stanzas = client.info()
    if params["target"]["type"] == "latest":
        # One that was away for a while ends earlier. What cannot be read comes first, so that it is told.
        stanzas.sort(key=lambda one: (not one.reach, one.reach), reverse=True)
    passed: dict[int, BackupError] = {}
    for stanza in stanzas:
        try:
            found = planned(client.on(stanza.repo), stanza, params)
        except BackupError as error:
            passed[stanza.repo] = error
            continue
        if len(stanzas) > 1:
            said = [f"repository {repo} is passed by: {reason(error)}" for repo, error in passed.items()]
            found["lines"] = [f"from repository {stanza.repo}", *said, *found["lines"]]
        return {"changed": False, "plan": found, "lines": found["lines"]}
    raise refusal(passed)


def planned(client: Pgbackrest, stanza: Stanza, params: Mapping[str, Any]) -> dict[str, Any]:
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
        return planning.plan(client, stanza, archive, wanted, Journal(params["journal"]))


def refusal(errors: Mapping[int, BackupError]) -> BackupError:
    """What each repository says, or what all of them say."""
    first = next(iter(errors.values()))
    if len({str(one) for one in errors.values()}) == 1:
        return first
    said = [f"Repository {repo}: {reason(one)}" for repo, one in errors.items()]
    return BackupError(" ".join(said) + UNCHANGED, **first.details)


def reason(error: BackupError) -> str:
    return short(str(error).removesuffix(UNCHANGED), 600)


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
    client = client.on(int(wanted["repo"]))
    restorable(client.info()[0], str(wanted["system_id"]))
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
    del check
    return {"changed": False, "damaged": [], "lines": checking.verify(client, params["set"])}


def expire(client: Pgbackrest, params: Mapping[str, Any], check: bool) -> Answer:
    del params
    before = client.info()
    for one in before:
        readable(one)
    if check:
        # Only pgBackRest knows what its retention removes.
        return {"changed": False, "expired": [], "lines": ["would expire by the configured retention"]}
    _exclusive(client, "expire")
    after = client.info()
    gone = [one.label for old, new in zip(before, after, strict=True) for one in added(new.sets, old.sets)]
    return {
        "changed": [one.archive for one in before] != [one.archive for one in after] or bool(gone),
        "expired": gone,
        "archive": [one for each in after for one in each.archive],
        "lines": [f"expired: {', '.join(gone) or 'no set'}"],
    }


ACTIONS = {"info": info, "backup": backup, "plan": plan, "restore": restore, "verify": verify, "expire": expire}
