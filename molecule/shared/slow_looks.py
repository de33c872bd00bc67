"""Looks at the fleet that take a minute each, begun together while the quick tests run."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from fleet import address, inside

LYNIS = ["db1", "app2"]
SCANNED = ["lb1", "app2", "db1", "db2"]


@dataclass(frozen=True)
class SlowLooks:
    lynis: dict[str, Future[str]]
    ports: Future[str]


def lynis(name: str) -> str:
    inside(name, "lynis audit system --quick --no-colors >/dev/null 2>&1; true")
    return inside(name, "cat /var/log/lynis-report.dat")


def ports() -> str:
    """nmap's own format, from ops1, while a stray service listens on db2."""
    inside("db2", "systemd-run --quiet --unit=stray --collect python3 -m http.server 8099 --bind 0.0.0.0")
    targets = " ".join(map(address, SCANNED))
    return inside("ops1", f"nmap -n -Pn -p- -T5 --max-retries 1 --min-rate 8000 -oG - {targets}")


def begin(pool: ThreadPoolExecutor) -> SlowLooks:
    return SlowLooks({name: pool.submit(lynis, name) for name in LYNIS}, pool.submit(ports))
