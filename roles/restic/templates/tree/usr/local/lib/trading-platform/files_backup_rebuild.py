"""Brings back what a host has nothing of, each set for itself. Managed by Ansible (role restic)."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from files_backup_copies import moment, table
from files_backup_host import Trouble
from files_backup_restic import Settings, copies, unmade
from files_backup_restore import brought
from files_backup_results import RESULTS


def rebuild(told: Settings, starts_empty: Collection[str], check: bool) -> None:
    """Sets without `unless` are made anew by those to whom they belong."""
    for one in told.sets:
        if one.get("unless"):
            sys.stdout.write(f"{one['name']}: {rebuilt(told, one, starts_empty, check)}\n")


def rebuilt(told: Settings, one: Mapping[str, Any], starts_empty: Collection[str], check: bool) -> str:
    # Where a rebuild was cut off some of it is there.
    begun = RESULTS / f"{one['name']}.rebuilding"
    there = sorted(path for pattern in one["unless"] for path in Path("/").glob(pattern.lstrip("/")))
    if there and not begun.exists():
        return f"{there[0]} is here, so nothing was brought back"
    if one["name"] in starts_empty:
        return "starts empty, as it was said"
    copy = newest(existing(told), one["name"])
    if check:
        return f"would be brought back as of {copy['time']}"
    target = Path(one.get("into") or "/")
    if target == Path("/"):
        begun.touch()
    brought(told, copy, copy["paths"], target)
    begun.unlink(missing_ok=True)
    return f"brought back as of {moment(copy['time']).isoformat(' ', 'seconds')}, and read once more"


def existing(told: Settings) -> Sequence[Mapping[str, Any]]:
    """None where the host never had a repository."""
    try:
        return copies(told)
    except Trouble as trouble:
        if not unmade(str(trouble)):
            raise
        return []


def newest(copies: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """By the set's name, for its paths may have been others then."""
    found = [one for one in copies if name in (one.get("tags") or [])]
    if not found:
        raise Trouble(
            f"There is no copy of {name}, and nothing of it is here. Where it is to begin without, say"
            f" -e starts_empty={name}. There are:\n{table(copies) or 'none'}"
        )
    return max(found, key=lambda one: moment(one["time"]))
