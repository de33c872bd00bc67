"""What the data layer's stories see of it: the cluster as Patroni tells it, and ways to break it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import fleet
from fleet import container, docker, inside

DATABASES = ("db1", "db2")
ETCD = (*DATABASES, "ops1")
PATRONICTL = "patronictl -c /etc/patroni/config.yml"


def members() -> dict[str, dict[str, Any]]:
    """The cluster's members by name. Asked on the first database host that answers."""
    for name in DATABASES:
        ran = docker("exec", container(name), "sh", "-c", f"timeout 10 {PATRONICTL} list --format json 2>/dev/null")
        if ran.code == 0 and ran.output.strip():
            return {one["Member"]: one for one in json.loads(ran.output)}
    return {}


def primary() -> str:
    leaders = [name for name, one in members().items() if one["Role"] == "Leader"]
    assert len(leaders) == 1, members()
    return leaders[0]


def leads(name: str) -> bool:
    return members().get(name, {}).get("Role") == "Leader"


def replica() -> str:
    return next(name for name in DATABASES if name != primary())


def timeline() -> int:
    return max(int(one["TL"]) for one in members().values())


def ask(name: str, url: str) -> str:
    """What a URL says to a host that shows no certificate, or the error."""
    look = """
import ssl, sys, urllib.request as request
try:
    print(request.urlopen(sys.argv[1], timeout=5, context=ssl._create_unverified_context()).read().decode())
except Exception as error:
    print(repr(error))
"""
    return docker("exec", container(name), "python3", "-c", look, url).output


def etcd_is_healthy() -> bool:
    """Every member has the agreement of a majority."""
    return all('"health":"true"' in ask(name, "http://127.0.0.1:2381/health") for name in ETCD)


def is_healthy() -> bool:
    """A running leader and, on the same timeline, a synchronous standby that streams; etcd complete."""
    found = members()
    roles = sorted(one["Role"] for one in found.values())
    states = {one["State"] for one in found.values()}
    lines = {one.get("TL") for one in found.values()}
    return (
        roles == ["Leader", "Sync Standby"]
        and states <= {"running", "streaming"}
        and len(lines) == 1
        and etcd_is_healthy()
    )


def wait_until(
    what: str, holds: Callable[[], bool], seconds: float = 60, says: Callable[[], object] = members
) -> float:
    """Seconds that it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"not within {seconds} s: {what}; {says()}"
        time.sleep(0.3)
    return time.monotonic() - began


def wait_healthy(seconds: float = 90) -> float:
    return wait_until("a leader with its synchronous standby", is_healthy, seconds)


def sql(name: str, statement: str, database: str = "postgres") -> str:
    """As the superuser, on the host's own socket: the only way in that a superuser has."""
    return inside(name, f'runuser -u postgres -- psql -XAtq -d {database} -c "{statement}"').strip()


def postmaster(name: str) -> str:
    return inside(name, "head -n 1 /var/lib/postgresql/*/*/postmaster.pid").strip()


def is_demoted(name: str) -> bool:
    """It runs, and not as a primary. By its socket, which a cut leaves; false as long as nobody answers there."""
    ask = ("runuser", "-u", "postgres", "--", "psql", "-XAtqc", "select pg_is_in_recovery()")
    return docker("exec", container(name), *ask).output.strip() == "t"


def kill_postmaster(name: str) -> None:
    inside(name, f"kill -9 {postmaster(name)}")


def kill_host(name: str) -> None:
    """As if its power had gone. It stays down until start_host."""
    assert docker("kill", container(name)).code == 0


def start_host(name: str) -> None:
    assert docker("start", container(name)).code == 0
    # Its bus answers a moment later.
    wait_until(f"{name} has booted", lambda: docker("exec", container(name), "systemctl", "list-jobs").code == 0)


@contextlib.contextmanager
def cut_off(name: str, others: Sequence[str]) -> Iterator[float]:
    """No packet passes between the host and the others, either way. Yields the moment; heals in any case."""
    addresses = ", ".join(fleet.address(other) for other in others)
    rules = "".join(
        f"chain {hook} {{ type filter hook {hook} priority -300; ip {side} {{ {addresses} }} drop; }}; "
        for hook, side in (("input", "saddr"), ("output", "daddr"))
    )
    # A table of its own, above the platform's.
    inside(name, f"echo 'table inet cut {{ {rules} }}' | nft -f -")
    try:
        yield time.monotonic()
    finally:
        inside(name, "nft delete table inet cut")


@contextlib.contextmanager
def opened(name: str, port: int) -> Iterator[None]:
    """Anybody reaches the port for a while, this machine too."""
    inside(name, f"nft insert rule inet trading_platform input tcp dport {port} accept")
    try:
        yield
    finally:
        # Loads the committed rules.
        inside(name, "systemctl reload trading-firewall")


@contextlib.contextmanager
def stopped(unit: str, *names: str) -> Iterator[float]:
    """The unit is down on these hosts, and up again in any case."""
    for name in names:
        inside(name, f"systemctl stop {unit}")
    try:
        yield time.monotonic()
    finally:
        started = [docker("exec", container(name), "systemctl", "start", "--no-block", unit) for name in names]
        assert all(one.code == 0 for one in started), started


@contextlib.contextmanager
def frozen(name: str, pattern: str) -> Iterator[float]:
    """The processes whose command line matches do not run for a while, and do not know it."""
    inside(name, f"pkill -STOP -f '{pattern}'")
    try:
        yield time.monotonic()
    finally:
        inside(name, f"pkill -CONT -f '{pattern}'")


def starts() -> dict[str, str]:
    """Every service of every host with the moment that it started."""
    return {name: fleet.service_starts(name) for name in fleet.standing()}
