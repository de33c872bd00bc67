"""The load behind bench/dbproxy.yml; runs on an app host. usage: dbproxy.py PRIMARY SECONDS PAIRS (PGPASSWORD is set).

Prints one line of JSON: what pgbench reaches through dbproxy against what it reaches straight, and how many clients
share how many server connections. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLIENTS = 16
HELD = 500
CA = "/etc/trading-platform/pki/dbproxy/ca.pem"
# pgbench's own two, with the schema spelled out: a pool in transaction mode keeps no search_path.
SELECT = r"""\set aid random(1, 1000000)
SELECT abalance FROM bench.accounts WHERE aid = :aid;
"""
TPCB = r"""\set aid random(1, 1000000)
\set bid random(1, 10)
\set tid random(1, 100)
\set delta random(-5000, 5000)
BEGIN;
UPDATE bench.accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM bench.accounts WHERE aid = :aid;
UPDATE bench.tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE bench.branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO bench.history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
"""


def pgbench(target: str, script: Path, clients: int, seconds: int, *more: str) -> list[str]:
    program = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))[-1]
    how = ["-n", "-j", "2", "-c", str(clients), "-T", str(seconds), "-f", str(script)]
    return [str(program), *how, *more, target]


def rate(command: list[str]) -> float:
    """Transactions a second; a failed transaction fails the measurement."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"^tps = ([0-9.]+)", ran.stdout, re.M)
    if ran.returncode or not found:
        sys.exit(f"dbproxy: {' '.join(command)} failed:\n{ran.stdout[-1000:]}{ran.stderr[-2000:]}")
    return float(found[1])


def console(query: str) -> list[dict[str, str]]:
    """One of pgbouncer's tables."""
    psql = ["runuser", "-u", "postgres", "--", "psql", "-XAqh", "/run/postgresql", "-p", "6432", "-U", "pgbouncer"]
    ran = subprocess.run([*psql, "-d", "pgbouncer", "-c", query], capture_output=True, text=True, check=True)
    head, *rows = [line.split("|") for line in ran.stdout.splitlines() if "|" in line]
    return [dict(zip(head, row, strict=True)) for row in rows]


def held(target: str, script: Path) -> tuple[int, int]:
    """HELD clients that all work, slowly: how many are connected at once, and the most server connections ever seen."""
    clients = servers = 0
    # A slow machine needs ten seconds to let all of them in.
    command = pgbench(target, script, HELD, 20, "-R", "400")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as load:
        while load.poll() is None:
            clients = max(clients, sum(row["database"] == "trading" for row in console("SHOW CLIENTS")))
            servers = max(servers, len(console("SHOW SERVERS")))
            time.sleep(0.5)
        said = load.stdout.read() if load.stdout else ""
    if load.returncode or "number of failed transactions: 0 " not in said:
        sys.exit(f"dbproxy: {HELD} clients did not get through:\n{said[-2000:]}")
    return clients, servers


def main() -> None:
    primary, seconds, pairs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.environ["PGCONNECT_TIMEOUT"] = "10"
    common = "dbname=trading user=trading_app"
    straight = f"{common} host={primary} port=5432 sslmode=verify-full sslrootcert={CA}"
    through = f"{common} host=127.0.0.1 port=6432 sslmode=disable"
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        for name, text in (("select", SELECT), ("tpcb", TPCB)):
            script = Path(directory, f"{name}.sql")
            script.write_text(text)
            for target in (straight, through):
                rate(pgbench(target, script, CLIENTS, 2))
            ratios, rates = [], []
            for _pair in range(pairs):
                direct, proxied = (rate(pgbench(target, script, CLIENTS, seconds)) for target in (straight, through))
                ratios.append(proxied / direct)
                rates.append((direct, proxied))
            figures[f"{name}_ratio"] = round(statistics.median(ratios), 2)
            figures[f"{name}_direct_tps"] = round(statistics.median(direct for direct, _ in rates))
            figures[f"{name}_dbproxy_tps"] = round(statistics.median(proxied for _, proxied in rates))
        figures["clients_held"], figures["server_connections"] = held(through, Path(directory, "select.sql"))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
