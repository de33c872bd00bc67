"""Looks at the fleet that take a minute each, begun together while the quick tests run."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from fleet import address, inside

LYNIS = ["db1", "app2"]
SCANNED = ["lb1", "app2", "db1", "db2", "ops1"]
STRAY = 8099


@dataclass(frozen=True)
class SlowLooks:
    lynis: dict[str, Future[str]]
    ports: Future[str]


def lynis(name: str) -> str:
    inside(name, "lynis audit system --quick --no-colors >/dev/null 2>&1; true")
    return inside(name, "cat /var/log/lynis-report.dat")


def ports() -> str:
    """nmap's own format, from world1, whom no service knows. Two listen on 8099, one lets it in: nmap sees that."""
    for name in ("db1", "db2"):
        inside(name, f"systemd-run --quiet --unit=stray --collect python3 -m http.server {STRAY} --bind 0.0.0.0")
    inside("db2", f"nft insert rule inet trading_platform input tcp dport {STRAY} accept")
    targets = " ".join(map(address, SCANNED))
    return inside("world1", f"nmap -n -Pn -p- -T5 --max-retries 1 --min-rate 8000 -oG - {targets}")


def clear() -> None:
    for name in ("db1", "db2"):
        inside(name, "systemctl stop stray")
    # Loads the committed rules.
    inside("db2", "systemctl restart trading-firewall")


def begin(pool: ThreadPoolExecutor) -> SlowLooks:
    return SlowLooks({name: pool.submit(lynis, name) for name in LYNIS}, pool.submit(ports))
