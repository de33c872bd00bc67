"""Which copy is meant, and what it holds; nothing is read here. Managed by Ansible (role restic)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from files_backup_host import Trouble


def moment(text: str) -> datetime:
    """restic counts nanoseconds."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Trouble(f"{text!r} is neither a copy's id nor a time such as '2026-11-21 12:00:00+00:00'.") from None
    if found.tzinfo is None:
        raise Trouble(f"{text!r} has no zone: write '{text}+00:00' for UTC.")
    return found.astimezone(UTC)


def within(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")


def table(copies: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(
        f"{one['short_id']}  {moment(one['time']).isoformat(' ', 'seconds')}  "
        f"{','.join(one.get('tags') or [])}  {' '.join(one['paths'])}"
        for one in sorted(copies, key=lambda one: moment(one["time"]))
    )


def chosen(copies: Sequence[Mapping[str, Any]], path: str, at: str) -> Mapping[str, Any]:
    """The newest copy with the path until that moment, or the one with that id."""
    holding = [one for one in copies if any(within(path, top) for top in one["paths"])]
    if not holding:
        raise Trouble(f"No copy has {path}. There are:\n{table(copies)}")
    if re.fullmatch("[0-9a-f]{8,64}", at):
        fit = [one for one in holding if one["id"].startswith(at)]
    else:
        fit = [one for one in holding if not at or moment(one["time"]) <= moment(at)]
    if not fit:
        raise Trouble(f"No copy of {path} is {at}, or from before it. There are:\n{table(holding)}")
    return max(fit, key=lambda one: moment(one["time"]))


def below(nodes: Sequence[Mapping[str, Any]], path: str) -> list[Mapping[str, Any]]:
    """What a copy holds of the path; where it holds nothing, what it has instead."""
    found = [one for one in nodes if within(one["path"], path)]
    if not found:
        here = next(str(up) for up in Path(path).parents if any(within(one["path"], str(up)) for one in nodes))
        beside = sorted(one["path"] for one in nodes if str(Path(one["path"]).parent) == here)
        raise Trouble(f"The copy has no {path}. In {here} it has:\n" + "\n".join(beside[:40]))
    return found


def literal(path: str) -> str:
    """For restic, to which it would be a pattern."""
    return re.sub(r"([*?\[\\])", r"\\\1", path)
