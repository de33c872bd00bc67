"""Brings a path back. Managed by Ansible (role restic)."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import stat
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from files_backup_copies import below, chosen, literal, table
from files_backup_host import Trouble
from files_backup_restic import Settings, copies, restic


def restore(told: Settings, asked: argparse.Namespace) -> None:
    """All that could be wrong is found before anything is written."""
    path, over = asked.path.rstrip("/"), asked.into == "/"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = Path(asked.into or f"/var/tmp/restored-{stamp}")  # noqa: S108 - a new directory that only root may read
    if not path.startswith("/") or not target.is_absolute():
        raise Trouble("A path begins with /, and so does the place that it goes to.")
    if over and asked.confirm != told.host:
        raise Trouble(f"Into / it replaces what is there: type the host's name too, confirm={told.host}.")
    if not over and target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Trouble(f"{target} is there and not empty: name a new directory.")
    copy = chosen(copies(told), path, asked.at)
    lines = [json.loads(line) for line in restic(told, "ls", "--no-lock", "--json", copy["id"]).splitlines()]
    files = [one for one in below([line for line in lines if "path" in line], path) if one["type"] == "file"]
    size = sum(one.get("size", 0) for one in files)
    free = shutil.disk_usage(next(up for up in (target, *target.parents) if up.exists())).free
    if free < size:
        raise Trouble(f"{target} lacks {size - free} bytes: {size} are to come. Name another place, or make room.")
    where = f"in place of {path}; files that the copy lacks stay" if over else f"to {target}{path}"
    sys.stdout.write(f"{table([copy])}\n{len(files)} files, {size} bytes, {where}\n")
    if not asked.check:
        brought(told, copy, [path], target)
        sys.stdout.write("Restored, and read once more.\n")


def brought(told: Settings, copy: Mapping[str, Any], paths: Sequence[str], target: Path) -> None:
    """Under another name first, but for /: who finds the directory finds all of it."""
    over = target == Path("/")
    new = target if over else target.with_name(f"{target.name}.new")
    if not over:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700, parents=True)
    above = {one: one.stat() for path in paths for one in Path(path).parents if one.exists()}
    only = [word for path in paths for word in ("--include", literal(path))]
    restic(told, "restore", copy["id"], "--no-lock", "--verify", *only, "--target", str(new))
    # restic gives the directories above their old owners back, whose numbers may be others' on this host.
    for one, was in above.items():
        os.chown(one, was.st_uid, was.st_gid)
        one.chmod(stat.S_IMODE(was.st_mode))
    if not over:
        new.replace(target)
