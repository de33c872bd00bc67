"""Every kind of release under 200 requests a second and 20 WebSockets, and one JSON object for bench/run.

Then, without load and by turns, a release on two hosts against docker pull, run and readiness by hand on the same two.
What each operation cost the clients is told on stderr as it ends.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import releases
from fleet import inside
from probe import Traffic, Window, execute
from releases import HOSTS, well

PAIRS = 3
# Seconds between two operations: what the one has left unanswered is not the next one's.
BETWEEN = 15
# What the same load costs while nothing happens.
REST = "at rest"
BY_HAND = Path(__file__).with_name("by_hand.py")
ROW = "{:<16} {:>8} {:>9} {:>7} {:>8} {:>8} {:>8} {:>8}"


def tell(*cells: object) -> None:
    sys.stderr.write(ROW.format(*map(str, cells)) + "\n")
    sys.stderr.flush()


def restart_engines() -> None:
    for host in HOSTS:
        inside(host, "systemctl restart docker")


def scale() -> None:
    well("scale", instances={"api": 3})
    well("scale", instances={"api": 2})


# In this order: each begins where the one before has ended, the first on v1.
OPERATIONS: dict[str, Callable[[], object]] = {
    REST: lambda: time.sleep(15),
    "deploy": lambda: well("deploy", release="v2"),
    "rollback": lambda: well("rollback"),
    "blue_green": lambda: well("blue_green", release="v2"),
    "blue_green back": lambda: well("blue_green", back=True),
    "canary": lambda: well("canary", release="v2", steps=[10, 50], hold=10),
    "scale": scale,
    "dockerd": restart_engines,
}


def under_load() -> dict[str, float]:
    releases.converge("v1")
    seen: dict[str, Window] = {}
    with Traffic("world1", seconds=1800) as load:
        load.wait_ready(120)
        tell("operation", "seconds", "requests", "failed", "p95 ms", "p99 ms", "gap s", "ws s")
        for name, operation in OPERATIONS.items():
            began = time.monotonic()
            with load.window() as window:
                operation()
            seen[name] = window
            figures = [window.requests, window.failed, window.p95_ms, window.p99_ms, window.longest_gap_s]
            tell(name, round(time.monotonic() - began, 1), *figures, window.reconnect_s)
            if window.failed:
                sys.stderr.write(f"{json.dumps(window.errors, indent=1)}\n")
            time.sleep(BETWEEN)
        result = load.result()
    if not result.orders["acknowledged"] or any(window.sockets_missing for window in seen.values()):
        sys.exit(f"bench: the load did not get through: {json.dumps(result.figures)}")
    return {
        "failed_requests": float(sum(window.failed for window in seen.values())),
        "requests": float(sum(window.requests for window in seen.values())),
        "p95_ms": max(window.p95_ms for window in seen.values()),
        "rest_p95_ms": seen[REST].p95_ms,
        "longest_gap_s": max(window.longest_gap_s for window in seen.values()),
        "ws_reconnect_s": max(window.reconnect_s for window in seen.values()),
        "cohort_strays": float(len(seen["canary"].strays)),
        "orders": float(result.orders["acknowledged"]),
        "orders_lost": float(result.orders["lost"] + result.orders["doubled"]),
    }


def image() -> str:
    """Of the release that serves, by digest."""
    name = releases.releases()[HOSTS[0]]
    record = json.loads(inside(HOSTS[0], f"cat {releases.PLACE}/releases/{name}.json"))
    return str(record["services"][0]["image"])


def forget(reference: str) -> None:
    """No host has it any more, as before a new release: it has to be pulled."""
    for host in HOSTS:
        inside(host, f"docker rmi --force $(docker image inspect --format {{{{.Id}}}} {reference})")


def by_hand(reference: str) -> float:
    """Host after host, as a careful person would."""
    return sum(float(execute(host, "python3", "-", reference, given=BY_HAND.read_bytes())) for host in HOSTS)


def against_by_hand() -> dict[str, float]:
    well("deploy", release="v2")
    new = image()
    ours, hands = [], []
    for _pair in range(PAIRS):
        well("deploy", release="v1")
        forget(new)
        hands.append(by_hand(new))
        forget(new)
        began = time.monotonic()
        well("deploy", release="v2")
        ours.append(time.monotonic() - began)
        tell("by hand, ours", f"{hands[-1]:.1f}", f"{ours[-1]:.1f}", "", "", "", "", "")
    return {
        "release_ratio": round(statistics.median(one / two for one, two in zip(ours, hands, strict=True)), 2),
        "release_s": round(statistics.median(ours), 1),
        "by_hand_s": round(statistics.median(hands), 1),
    }


def main() -> None:
    figures = under_load() | against_by_hand()
    sys.stdout.write(json.dumps({"figures": figures}) + "\n")


if __name__ == "__main__":
    main()
