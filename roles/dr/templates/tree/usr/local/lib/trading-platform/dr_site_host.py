"""What this host can ask: its programs, its PostgreSQL, and the other site's archive. Managed by Ansible (role dr)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The other site's repository; only ever read.
OTHER = "--config=/etc/pgbackrest/dr.conf"


class Trouble(Exception):  # noqa: N818 - it is one, and reads as one
    """What a person has to read, with what to do next."""


@dataclass(frozen=True)
class Settings:
    """What the role decides."""

    stanza: str
    site: str
    data: str
    binaries: str
    postgres_port: int
    checks: Sequence[Mapping[str, str]]


def run(words: Sequence[str], given: str | None = None, patience: float | None = None) -> tuple[int, str, str]:
    """As postgres, who owns data, spool and logs."""
    told = [*(["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []), *words]
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
    try:
        ran = subprocess.run(
            told, input=given, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=patience
        )
    except subprocess.TimeoutExpired:
        return 124, "", f"no answer within {patience} s"
    return ran.returncode, ran.stdout, ran.stderr


def asked(told: Settings, query: str, database: str = "postgres") -> str | None:
    """None where PostgreSQL does not answer."""
    code, out, _ = run(["psql", "-XAtqc", query, "-p", str(told.postgres_port), database])
    return out.strip() if code == 0 else None


def source(told: Settings) -> Mapping[str, Any]:
    code, out, errors = run(["pgbackrest", OTHER, f"--stanza={told.stanza}", "info", "--output=json"])
    if code:
        raise Trouble(f"The other site's repository cannot be read: {errors.strip() or out.strip()}")
    found = json.loads(out)
    return found[0] if found else {}
