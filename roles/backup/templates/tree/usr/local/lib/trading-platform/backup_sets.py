"""Which set of a repository serves, and which none needs; nothing is read here. Managed by Ansible (role backup)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backup_host import Trouble
from backup_positions import number


@dataclass(frozen=True)
class Target:
    """What pgBackRest gets. The set is always said: for a time that none reaches pgBackRest would take the latest."""

    repo: int
    set: str
    timeline: int
    type: str
    value: str = ""
    exclusive: bool = False

    @property
    def options(self) -> list[str]:
        given = [
            f"--repo={self.repo}",
            f"--set={self.set}",
            f"--type={self.type}",
            f"--target-timeline={self.timeline}",
        ]
        if self.type != "default":
            given += [f"--target={self.value}", "--target-action=promote"]
        return given + ["--target-exclusive"] * self.exclusive


def outdated(sets: Sequence[Mapping[str, Any]], now: float, days: int) -> list[Mapping[str, Any]]:
    """Incremental sets that nothing needs any more, the newest first: each may stand on the one before."""
    limit = now - timedelta(days=days).total_seconds()
    old = [one for one in sets if one["type"] != "full" and one["timestamp"]["stop"] < limit]
    needed = {label for one in sets if one not in old for label in one.get("reference") or []}
    return [one for one in reversed(old) if one["label"] not in needed]


def newest(sets: Sequence[Mapping[str, Any]], lsn: str) -> Mapping[str, Any]:
    """The last set that was complete at this position."""
    fit = [one for one in sets if not one["error"] and number(one["lsn"]["stop"]) <= number(lsn)]
    if not fit:
        raise Trouble(f"No set without damage was complete before {lsn}: take a full backup, see playbooks/backup.yml.")
    return fit[-1]


def sized(sets: Sequence[Mapping[str, Any]], target: Target) -> int:
    """Of the set, which must have been complete at the moment: PostgreSQL would take the set's own end for it."""
    one = next((each for each in sets if each["label"] == target.set), None)
    if one is None:
        labels = ", ".join(each["label"] for each in sets)
        raise Trouble(f"There is no set {target.set}; there are: {labels or 'none'}. Nothing was changed.")
    early = (target.type == "lsn" and number(target.value) < number(one["lsn"]["stop"])) or (
        target.type == "time" and datetime.fromisoformat(target.value).timestamp() < one["timestamp"]["stop"]
    )
    if early:
        raise Trouble(
            f"{target.value} lies before the end of set {target.set}: say an earlier set. Nothing was changed."
        )
    return int(one["info"]["size"])
