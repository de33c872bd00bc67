"""Asks pgBackRest. Managed by Ansible (role backup)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backup_host import Settings, Trouble, run


def pgbackrest(told: Settings, command: str, *options: str) -> str:
    return run("pgbackrest", f"--stanza={told.stanza}", command, *options, what=f"pgbackrest {command}")


def info(told: Settings, repo: int | None = None) -> Mapping[str, Any]:
    """Of all repositories, or of one."""
    where = [f"--repo={repo}"] if repo else []
    found: list[Mapping[str, Any]] = json.loads(pgbackrest(told, "info", *where, "--output=json"))
    return found[0] if found else {"status": {"code": 1}, "repo": [], "backup": []}


def serving(found: Mapping[str, Any]) -> int:
    """The first repository that answers and has a backup."""
    keys = [int(one["key"]) for one in found["repo"] if one["status"]["code"] == 0]
    if not keys:
        said = "; ".join(f"{one['key']}: {' '.join(one['status']['message'].split())}" for one in found["repo"])
        raise Trouble(f"No repository has a backup that can be read: {said or 'there is none'}.")
    return keys[0]


def backed_up(told: Settings, *options: str) -> None:
    """Into each repository, for by itself pgBackRest takes the first only; one that fails does not keep the others."""
    if told.repositories == 1:
        pgbackrest(told, "backup", *options)
        return
    failed = []
    for key in range(1, told.repositories + 1):
        try:
            pgbackrest(told, "backup", f"--repo={key}", *options)
        except Trouble as trouble:
            failed.append(f"Repository {key}: {trouble}")
    if failed:
        raise Trouble("\n".join(failed))
