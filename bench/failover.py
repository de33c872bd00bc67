"""Breaks the database's primary under load, three times each way, and prints one JSON object for bench/run.

Every round begins on a healthy cluster and ends on one: a leader, and a synchronous standby that streams.
The load is the probe ledger on app1, through dbproxy; rounds are told on stderr as they end.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import data
from fleet import playbook
from probe import Ledger, prepare

ROUNDS = 3
WRITERS = 8
# Above the 300 that is asked for, below what two slow cores manage: the gap shall be the failover's, not the queue's.
RATE = 350.0
BACK_WITHIN = 60.0
HEALTHY_WITHIN = 150.0
ROW = "{:<12} {:>6} {:>8} {:>7} {:>8} {:>6} {:>8} {:>10}"


@dataclass(frozen=True)
class Round:
    what: str
    gap: float
    failed: int
    unknown: int
    lost: int
    rate: float
    healthy: float


def switchover(primary: str) -> Callable[[], None]:
    ran = playbook("playbooks/switchover.yml")
    if ran.code or data.primary() == primary:
        sys.exit(f"bench: the switchover failed ({ran.code}), {data.primary()} leads\n{ran.output[-3000:]}")
    return lambda: None


def postmaster(primary: str) -> Callable[[], None]:
    data.kill_postmaster(primary)
    return lambda: None


def host(name: str) -> Callable[[], None]:
    data.kill_host(name)
    return lambda: data.start_host(name)


def one(what: str, breaks: Callable[[str], Callable[[], None]], victim: str) -> Round:
    """Writes, breaks, writes again, mends, and is healthy: with the load on all the time."""
    with Ledger("app1", seconds=300, writers=WRITERS, rate=RATE) as run:
        rate = float(run.wait_ready()["rate"])
        began = time.monotonic()
        mend = breaks(victim)
        try:
            run.wait_writing(BACK_WITHIN)
        finally:
            mend()
        data.wait_healthy(HEALTHY_WITHIN)
        healthy = time.monotonic() - began
        # The synchronous standby's return may hold writes for a moment, too.
        time.sleep(3)
        result = run.result()
    wrong = [name for name in ("doubled", "refused_present", "unjournaled", "invariant_broken") if result.figures[name]]
    if wrong:
        sys.exit(f"bench: {what}: {', '.join(wrong)}: {json.dumps(result.figures)}")
    gap = result.longest_gap_after(began)
    found = Round(what, gap, result.failed_transactions, result.unknown, result.lost, rate, healthy)
    tell(what, f"{gap:.2f}", found.failed, found.unknown, found.lost, victim, f"{rate:.0f}", f"{healthy:.1f}")
    return found


# How it breaks, whom it hits, and how often.
WAYS: dict[str, tuple[Callable[[str], Callable[[], None]], Callable[[], str], int]] = {
    "switchover": (switchover, data.primary, ROUNDS),
    "postmaster": (postmaster, data.primary, ROUNDS),
    "host": (host, data.primary, ROUNDS),
    "replica": (host, data.replica, 1),
}


def tell(*cells: object) -> None:
    sys.stderr.write(ROW.format(*map(str, cells)) + "\n")
    sys.stderr.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", help=f"of {', '.join(WAYS)}; default: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    prepare()
    data.wait_healthy(HEALTHY_WITHIN)
    tell("what", "gap s", "failed", "unknown", "lost", "victim", "commit/s", "healthy s")
    told: dict[str, list[Round]] = {}
    for what in asked.what or WAYS:
        breaks, victim, most = WAYS[what]
        told[what] = [one(what, breaks, victim()) for _ in range(min(asked.rounds, most))]
    every = [found for rounds in told.values() for found in rounds]
    values = {f"{what}_gap_s": round(max(found.gap for found in rounds), 2) for what, rounds in told.items()}
    values |= {f"{what}_failed": float(max(found.failed for found in rounds)) for what, rounds in told.items()}
    values |= {f"{what}_healthy_s": round(max(found.healthy for found in rounds), 1) for what, rounds in told.items()}
    values |= {
        "lost_rows": float(max(found.lost for found in every)),
        "commits_per_s": min(found.rate for found in every),
    }
    sys.stdout.write(json.dumps({"figures": values}) + "\n")


if __name__ == "__main__":
    main()
