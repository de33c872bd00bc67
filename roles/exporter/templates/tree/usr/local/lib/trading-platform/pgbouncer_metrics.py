#!/usr/bin/python3 -I
"""pgbouncer's numbers for Prometheus. Managed by Ansible (role exporter); standard library and psql only.

Run by prometheus-exporter-exporter at each scrape. Columns are found by their names, which holds from pgbouncer 1.18
on; metrics are called as prometheus-community's exporter calls them.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/trading-platform/exporter/pgbouncer.json")
QUERIES = ("VERSION", "POOLS", "STATS", "DATABASES", "LISTS", "CONFIG")
SECONDS = 3
Rows = Sequence[Mapping[str, str]]
Sample = tuple[str, Mapping[str, str], float]

# metric: column, and what it is multiplied by.
POOLS = {
    "client_active_connections": ("cl_active", 1.0),
    "client_waiting_connections": ("cl_waiting", 1.0),
    "server_active_connections": ("sv_active", 1.0),
    "server_idle_connections": ("sv_idle", 1.0),
    "server_used_connections": ("sv_used", 1.0),
    "server_testing_connections": ("sv_tested", 1.0),
    "server_login_connections": ("sv_login", 1.0),
}
STATS = {
    "sql_transactions_pooled_total": ("total_xact_count", 1.0),
    "queries_pooled_total": ("total_query_count", 1.0),
    "received_bytes_total": ("total_received", 1.0),
    "sent_bytes_total": ("total_sent", 1.0),
    "server_in_transaction_seconds_total": ("total_xact_time", 1e-6),
    "queries_duration_seconds_total": ("total_query_time", 1e-6),
    "client_wait_seconds_total": ("total_wait_time", 1e-6),
}
DATABASES = {
    "current_connections": ("current_connections", 1.0),
    "max_connections": ("max_connections", 1.0),
    "pool_size": ("pool_size", 1.0),
    "paused": ("paused", 1.0),
    "disabled": ("disabled", 1.0),
}
LISTS = ("databases", "users", "pools", "free_clients", "used_clients", "login_clients", "free_servers", "used_servers")


def samples(answers: Mapping[str, Rows]) -> Iterator[Sample]:
    """What the console said, as metrics."""
    yield "pgbouncer_up", {}, 1
    for row in answers["VERSION"]:
        yield "pgbouncer_version_info", {"version": next(iter(row.values())).removeprefix("PgBouncer ")}, 1
    for row in answers["POOLS"]:
        marks = {"database": row["database"], "user": row["user"]}
        yield from _columns("pgbouncer_pools", marks, row, POOLS)
        waited = int(row["maxwait"]) + int(row.get("maxwait_us") or 0) / 1e6
        yield "pgbouncer_pools_client_maxwait_seconds", marks, waited
    for row in answers["STATS"]:
        yield from _columns("pgbouncer_stats", {"database": row["database"]}, row, STATS)
    for row in answers["DATABASES"]:
        marks = {"name": row["name"], "database": row["database"]}
        yield from _columns("pgbouncer_databases", marks, row, DATABASES)
    counts = {row["list"]: row["items"] for row in answers["LISTS"]}
    for name in LISTS:
        if name in counts:
            yield f"pgbouncer_{name}", {}, float(counts[name])
    for row in answers["CONFIG"]:
        if row["key"] == "max_client_conn":
            yield "pgbouncer_config_max_client_connections", {}, float(row["value"])


def _columns(
    prefix: str, marks: Mapping[str, str], row: Mapping[str, str], columns: Mapping[str, tuple[str, float]]
) -> Iterator[Sample]:
    for metric, (column, factor) in columns.items():
        if row.get(column):
            yield f"{prefix}_{metric}", marks, float(row[column]) * factor


def exposition(found: Iterable[Sample]) -> str:
    """Prometheus' text, the samples of a metric together."""
    families: dict[str, list[str]] = {}
    for name, marks, value in found:
        labels = ",".join(f"{label}={json.dumps(text, ensure_ascii=False)}" for label, text in marks.items())
        families.setdefault(name, []).append(f"{name}{{{labels}}} {value:g}" if labels else f"{name} {value:g}")
    lines = []
    for name, its in families.items():
        lines += [f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}", *its]
    return "\n".join(lines) + "\n"


def tables(printed: str) -> dict[str, Rows]:
    """psql's CSV of all queries; an empty line lies between two."""
    parts = printed.split("\n\n")
    return {name: list(csv.DictReader(io.StringIO(part))) for name, part in zip(QUERIES, parts)}  # noqa: B905


def ask(settings: Mapping[str, Any]) -> dict[str, Rows]:
    """One connection for all. The password goes by the environment, which only our user can read."""
    words = [word for query in QUERIES for word in ("-c", f"SHOW {query}", "-c", "\\echo")]
    done = subprocess.run(
        ["psql", "-X", "--csv", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(settings["port"]),
         "-U", settings["user"], "-d", "pgbouncer", *words],
        env={"PATH": "/usr/bin:/bin", "PGPASSWORD": settings["password"], "PGCONNECT_TIMEOUT": str(SECONDS)},
        capture_output=True, text=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    return tables(done.stdout)


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    settings = json.loads(SETTINGS.read_text(encoding="utf-8"))
    try:
        found = list(samples(ask(settings)))
    except subprocess.SubprocessError as problem:
        said = getattr(problem, "stderr", None) or str(problem)
        print(f"pgbouncer: {said}", file=sys.stderr)  # noqa: T201
        found = [("pgbouncer_up", {}, 0)]
    print(exposition(found), end="")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
