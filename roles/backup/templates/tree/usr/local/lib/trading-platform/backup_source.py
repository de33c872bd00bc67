"""What a database holds at one position of the log. Managed by Ansible (role backup)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from backup_host import Settings, Trouble, is_primary
from backup_session import Session

# Seconds in which the source has to stand still for an instant.
STILL = 60
# A replica ends a reading that stands in the way of its recovery.
READINGS = 3
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


def read(told: Settings, left: int = READINGS) -> Source:
    port, primary = str(told.postgres_port), is_primary(told)
    try:
        with ExitStack() as opened:
            first = opened.enter_context(Session("postgres", port))
            sessions = {name: opened.enter_context(Session(name, port)) for name in databases(first)}
            for one in sessions.values():
                give_way(one)
            lsn, at = still(first, list(sessions.values()), primary)
            return Source("primary" if primary else "replica", lsn, at, *counted(told, sessions))
    except Trouble:
        if left == 1:
            raise
    return read(told, left - 1)


def give_way(session: Session) -> None:
    """To count takes minutes. The server's own process for it steps back behind those that commits wait for."""
    session.ask("set max_parallel_workers_per_gather = 0")
    os.setpriority(os.PRIO_PROCESS, int(session.ask("select pg_backend_pid()")), 10)


def databases(session: Session) -> list[str]:
    names: list[str] = json.loads(session.ask(DATABASES))
    return names


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
