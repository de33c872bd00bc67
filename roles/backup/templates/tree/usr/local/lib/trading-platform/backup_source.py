"""What the database and the archive hold at one position of the log. Managed by Ansible (role backup)."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from backup_place import Session, Target, run
from backup_run import Settings, Trouble, info, is_primary

SEGMENT = 16 << 20
# With which a log begins, before its first record.
HEADER = 40
# Seconds in which the source has to stand still for an instant, and for which the archive may be behind.
STILL, BEHIND = 60, 180
# A replica ends a reading that stands in the way of its recovery.
READINGS = 3
COMMIT = re.compile(r"desc: COMMIT(?:_PREPARED \d+:)? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC")
DATABASES = "select json_agg(datname order by datname) from pg_database where datallowconn and not datistemplate"
COUNTS = """select coalesce(json_object_agg(format('%I.%I', nspname, relname), (xpath('/row/c/text()', query_to_xml(
    format('select count(*) as c from only %I.%I', nspname, relname), false, true, '')))[1]::text::bigint), '{}')
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where relkind in ('r', 'm') and relpersistence = 'p' and relispopulated
    and nspname !~ '^pg_' and nspname <> 'information_schema'"""


@dataclass
class Source:
    """What was read at one position."""

    kind: str
    lsn: str
    at: float
    rows: dict[str, int]
    answers: dict[str, str]


# ----- pure


def number(lsn: str) -> int:
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def position(place: int) -> str:
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def segment(place: int) -> str:
    """The log's name but for its timeline."""
    return f"{place >> 32:08X}{place % (1 << 32) // SEGMENT:08X}"


def archived(archive: Sequence[Mapping[str, Any]]) -> int:
    """Up to where the cluster's logs are in a repository; the best one counts."""
    present = max((one["database"]["id"] for one in archive), default=0)
    last = max((one["max"] or "" for one in archive if one["database"]["id"] == present), default="")
    return (int(last[8:16], 16) * ((1 << 32) // SEGMENT) + int(last[16:], 16) + 1) * SEGMENT if last else 0


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


# ----- the source


def read(told: Settings, left: int = READINGS) -> Source:
    port, primary = str(told.postgres_port), is_primary(told)
    try:
        with ExitStack() as opened:
            first = opened.enter_context(Session("postgres", port))
            names = json.loads(first.ask(DATABASES))
            sessions = {name: opened.enter_context(Session(name, port)) for name in names}
            lsn, at = still(first, list(sessions.values()), primary)
            return Source("primary" if primary else "replica", lsn, at, *counted(told, sessions))
    except Trouble:
        if left == 1:
            raise
    return read(told, left - 1)


def still(first: Session, sessions: Sequence[Session], primary: bool) -> tuple[str, float]:
    """All sessions look at one position of the log: it was the same before the first and after the last of them.

    A replica shows a commit a moment before it says so, hence the pause. A primary shows it a moment after, hence no
    transaction may be under way there.
    """
    where = f"select {'pg_current_wal_insert_lsn' if primary else 'pg_last_wal_replay_lsn'}()"
    idle = "select pg_snapshot_xmin(s) = pg_snapshot_xmax(s) from pg_current_snapshot() as s"
    deadline = time.monotonic() + STILL
    while time.monotonic() < deadline:
        before = first.ask(where)
        quiet = [one.ask(f"begin isolation level repeatable read, read only; {idle}") == "t" for one in sessions]
        first.ask("select pg_sleep(0.002)")
        if first.ask(where) == before and (all(quiet) or not primary):
            return before, time.time()
        for one in sessions:
            one.ask("rollback")
    raise Trouble(
        f"The database did not stand still for an instant within {STILL} s, and cannot be compared. Try again later."
    )


def counted(told: Settings, sessions: Mapping[str, Session]) -> tuple[dict[str, int], dict[str, str]]:
    checks = told.drill["checks"]
    unknown = [one["name"] for one in checks if one["database"] not in sessions]
    if unknown:
        raise Trouble(f"There is no such database as backup_drill_checks names for: {', '.join(unknown)}.")
    counts = {name: json.loads(one.ask(COUNTS)) for name, one in sessions.items()}
    rows = {f"{name}: {table}": count for name, tables in counts.items() for table, count in tables.items()}
    return rows, {one["name"]: sessions[one["database"]].ask(one["query"]) for one in checks}


def timeline(told: Settings, log: str = "?" * 16) -> int:
    """By the logs on this host: the present one has the highest number."""
    there = [path.name[:8] for path in (Path(told.data) / "pg_wal").glob(f"????????{log}")]
    if not there:
        raise Trouble(f"The archive is far behind: this host itself no longer has the log {log}.")
    return int(max(there), 16)


def unarchived(told: Settings, end: int, lsn: str) -> list[float]:
    """When what lies between the archive's end and the position was committed."""
    if end + HEADER >= number(lsn):
        return []
    os.environ["TZ"] = "UTC"
    words = ["-t", str(timeline(told, segment(end))), "-s", position(end), "-e", lsn, "-r", "Transaction"]
    said = run(Path(told.binaries) / "pg_waldump", "-p", Path(told.data) / "pg_wal", *words)
    return [datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp() for when in COMMIT.findall(said)]


def waited(told: Settings, source: Source) -> float:
    """Until the archive has every commit; the age of the oldest that it lacked at the source's moment."""
    missing = first = unarchived(told, archived(info(told)["archive"]), source.lsn)
    deadline = time.monotonic() + BEHIND
    while missing:
        if time.monotonic() > deadline:
            raise Trouble(
                f"The archive has not got the logs up to {source.lsn} within {BEHIND} s: see journalctl -u patroni."
            )
        time.sleep(1)
        missing = unarchived(told, archived(info(told)["archive"]), source.lsn)
    return max(0.0, source.at - min(first)) if first else 0.0
