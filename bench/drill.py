"""dr_drill.yml of a ledger of 1 GB while money moves: what production's commits feel of it, against just before.

p95_ratio is the worst of three rounds, each its own before and during. The host that rehearses and world1, the S3, have
one core of the machine, the others the rest: in production hosts share none.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import backups
import data
from fleet import HOSTS, container, docker, playbook
from probe import Ledger, prepare

SIZE = 1_000_000_000
ROUNDS = 3
BEFORE = 60.0
RATE = 100.0


def bind(names: Sequence[str], cores: str) -> None:
    ran = docker("update", "--cpuset-cpus", cores, *map(container, names))
    if ran.code:
        sys.exit(f"bench: {ran.output}")


@contextlib.contextmanager
def apart(*names: str) -> Iterator[None]:
    last = (os.cpu_count() or 1) - 1
    bind([host for host in HOSTS if host not in names], f"0-{max(last - 1, 0)}")
    bind(names, str(last))
    try:
        yield
    finally:
        bind(HOSTS, f"0-{last}")


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
    with apart(data.replica(), "world1"):
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
