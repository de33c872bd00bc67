"""This host: what the role decides, its programs, files, locks and PostgreSQL. Managed by Ansible (role backup)."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/trading-platform/backup/settings.json")
# What the last recovery on this host came to.
RECOVERED = Path("/var/lib/trading-platform/backup/recovered.json")
# Of what a program said last.
LAST_LINES = 8
# Seconds that production's PostgreSQL has for a short question.
ANSWER = 30


class Trouble(Exception):  # noqa: N818 - it is one, and reads as one
    """What a person has to read, with what to do next."""


class Ended(Trouble):
    """A program did not end well."""

    def __init__(self, what: str, code: int, said: str) -> None:
        super().__init__(f"{what} ended with {code}:\n" + "\n".join(said.strip().splitlines()[-LAST_LINES:]))
        self.code = code


# What a report tells instead of ending in a traceback: also what a program said and nobody can read.
PROBLEMS = (Trouble, OSError, ValueError, LookupError)


def said(problem: Exception) -> str:
    """A sentence, or at least of what kind it is."""
    return str(problem) if isinstance(problem, (Trouble, OSError)) else f"{type(problem).__name__}: {problem}"


@dataclass(frozen=True)
class Settings:
    """What the role decides."""

    stanza: str
    name: str
    metrics: str
    api: str
    pki: str
    postgres_port: int
    keep_incremental: int
    types: Mapping[str, str]
    repositories: int
    data: str
    binaries: str
    scratch: str
    drill: Mapping[str, Any]


def settings() -> Settings:
    return Settings(**json.loads(SETTINGS.read_text()))


def run(*words: str | Path, what: str = "") -> str:
    """Ends with this program, and so do its children: pgBackRest's workers would outlive it."""
    told, pipe = [str(word) for word in words], subprocess.PIPE
    with subprocess.Popen(
        told, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, process_group=0
    ) as process:
        try:
            out, errors = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
    if process.returncode:
        raise Ended(what or Path(told[0]).name, process.returncode, out + errors)
    return out


def psql(query: str, port: str, host: str = "", patience: float | None = None) -> str | None:
    """None where the server does not answer, or refuses."""
    words = ["psql", "-XAtqc", query, *(["-h", host] if host else []), "-p", port, "postgres"]
    try:
        ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=patience)
    except subprocess.TimeoutExpired:
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None


def asked_postgres(told: Settings, query: str) -> str:
    """Empty where it does not run, or stands still."""
    return psql(query, str(told.postgres_port), patience=ANSWER) or ""


def is_primary(told: Settings) -> bool:
    return asked_postgres(told, "select not pg_is_in_recovery()") == "t"


@contextmanager
def held(lock: Path, patience: float, busy: str) -> Iterator[None]:
    """One at a time on this host; whoever waits longer than that reads why."""
    with lock.open("w") as file:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Trouble(busy) from None
                time.sleep(1)
        yield


def written(path: Path, text: str) -> None:
    """By another name first: whoever reads it sees the old or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.chmod(0o644)
    new.replace(path)


def remembered(path: Path) -> dict[str, Any]:
    """Nothing where it is not there, or was cut off as the host went down."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
