"""Lines a second from a host's journal into Elasticsearch, each exactly once, against rsyslog into a file on that host.

And what the application notices while the store is away: its p95 against before, under one load.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

import logstore
from fleet import inside
from probe import Traffic

HOST = "app1"
LINES = 60_000
PATIENCE = 300.0
# rsyslog as it comes, with a file for its target: a second process beside the host's own.
FILE = """
global(workDirectory="/run/log-bench")
module(load="imjournal" StateFile="state" PersistStateInterval="200" Ratelimit.Interval="0" IgnorePreviousMessages="on")
if $programname == "story" then action(type="omfile" file="/run/log-bench/file" template="RSYSLOG_FileFormat")
"""


def to_elasticsearch() -> dict[str, float]:
    run = logstore.new_run()
    began = time.monotonic()
    writing = logstore.write(HOST, run, LINES)
    logstore.wait_delivered(run, LINES, 300)
    took = time.monotonic() - began
    writing.wait(60)
    found = logstore.delivered(run, LINES, 60)
    return {"per_s": round(LINES / took), "lost": float(found.lost), "doubled": float(found.doubled)}


def to_a_file() -> float:
    inside(
        HOST,
        f"mkdir -p /run/log-bench; : >/run/log-bench/file; cat >/run/log-bench/conf <<'E'\n{FILE}\nE\n"
        "rsyslogd -f /run/log-bench/conf -i /run/log-bench/pid",
    )
    try:
        time.sleep(2)
        run = logstore.new_run()
        began = time.monotonic()
        writing = logstore.write(HOST, run, LINES)
        while (
            int(inside(HOST, f"grep -c {run} /run/log-bench/file || true") or 0) < LINES
            and time.monotonic() - began < PATIENCE
        ):
            time.sleep(0.5)
        took = time.monotonic() - began
        writing.wait(60)
        logstore.wait_delivered(run, LINES, 300)
        return LINES / took
    finally:
        inside(HOST, "kill $(cat /run/log-bench/pid); rm -rf /run/log-bench")


def p95_ratio() -> float:
    """By turns, so that what the machine does meanwhile is in both."""
    there, away = [], []
    with Traffic("world1", seconds=600, rate=100, sockets=5) as run:
        run.wait_ready(90)
        for _pair in range(3):
            with run.window() as seen:
                time.sleep(30)
            there.append(seen.figures["p95_ms"])
            logstore.unit(logstore.COLLECTOR, "stop", "log-collector")
            with run.window() as seen:
                time.sleep(30)
            away.append(seen.figures["p95_ms"])
            logstore.unit(logstore.COLLECTOR, "start", "log-collector")
            time.sleep(20)
    ratio: float = round(statistics.median(away) / statistics.median(there), 3)
    return ratio


def main() -> None:
    figures = to_elasticsearch()
    figures["file_per_s"] = round(to_a_file())
    figures["p95_ratio"] = p95_ratio()
    sys.stdout.write(json.dumps({"figures": figures}) + "\n")


if __name__ == "__main__":
    main()
