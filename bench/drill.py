"""dr_drill.yml of a ledger of 1 GB while money moves: what production's commits feel of it, against just before.

p95_ratio is the worst of three rounds, each its own before and during. In production hosts share no core: the ledger's
host and the primary have one of the machine, the one that rehearses has another with the S3 and the controller, and
hosts without a part in it stand still.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import backups
import data
from fleet import container, docker, playbook
from probe import Ledger, prepare

SIZE = 1_000_000_000
ROUNDS = 3
BEFORE = 60.0
RATE = 100.0
# Two of three members of etcd go on.
IDLE = ("lb1", "lb2", "app2", "ops1")
S3 = "world1"


def must(*words: str) -> None:
    ran = docker(*words)
    if ran.code:
        sys.exit(f"bench: {ran.output}")


@contextlib.contextmanager
def apart(rehearses: str, primary: str) -> Iterator[None]:
    every = sorted(os.sched_getaffinity(0))
    others, first, last = ([container(host) for host in hosts] for hosts in (IDLE, ("app1", primary), (rehearses, S3)))
    must("update", "--cpuset-cpus", ",".join(map(str, every[:-1] or every)), *first)
    must("update", "--cpuset-cpus", str(every[-1]), *last)
    must("pause", *others)
    # This program, and what it starts.
    os.sched_setaffinity(0, every[-1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)
        must("unpause", *others)
        must("update", "--cpuset-cpus", ",".join(map(str, every)), *first, *last)


def one() -> dict[str, float]:
    with Ledger("app1", seconds=900, rate=RATE) as run, tempfile.TemporaryDirectory() as reports:
        run.wait_ready()
        began = time.monotonic()
        time.sleep(BEFORE)
        asked = time.monotonic()
        ran = playbook("playbooks/dr_drill.yml", "-e", f"reports={reports}", timeout=900)
        ended = time.monotonic()
        if ran.code:
            sys.exit(f"bench: the drill failed ({ran.code})\n{ran.output[-3000:]}")
        run.result().assert_unnoticed()
        (path,) = Path(reports).glob("*.json")
        told = json.loads(path.read_text())
    found = {
        "before_ms": round(run.p95_ms(began, asked), 1),
        "during_ms": round(run.p95_ms(asked, ended), 1),
        "drill_s": round(ended - asked, 1),
        "drill_rto_s": told["rto_seconds"],
        "drill_rpo_s": told["rpo_seconds"],
    }
    sys.stderr.write(f"{json.dumps(found)}\n")
    return found


def main() -> None:
    prepare()
    backups.wait_first()
    size = backups.grow(SIZE)
    ran = playbook("playbooks/backup.yml", "-e", "do=now", timeout=1800)
    if ran.code:
        sys.exit(f"bench: the backup failed ({ran.code})\n{ran.output[-3000:]}")
    data.wait_healthy()
    with apart(data.replica(), data.primary()):
        rounds = [one() for _ in range(ROUNDS)]
    worst = max(rounds, key=lambda found: found["during_ms"] / found["before_ms"])
    figures = {
        "p95_ratio": round(worst["during_ms"] / worst["before_ms"], 2),
        **worst,
        "gigabytes": round(size / 1e9, 2),
    }
    sys.stdout.write(json.dumps({"figures": figures}) + "\n")


if __name__ == "__main__":
    main()
