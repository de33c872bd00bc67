"""Asks pgBackRest. Managed by Ansible (role backup)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backup_host import Settings, run


def pgbackrest(told: Settings, command: str, *options: str) -> str:
    return run("pgbackrest", f"--stanza={told.stanza}", command, *options, what=f"pgbackrest {command}")


def info(told: Settings) -> Mapping[str, Any]:
    found: list[Mapping[str, Any]] = json.loads(pgbackrest(told, "info", "--output=json"))
    return found[0] if found else {"status": {"code": 1}, "backup": []}
