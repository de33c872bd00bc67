"""What is done to the fleet so that somebody is called, and who that is. For the story alarms and bench/run alerts."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import data
import watch
import yaml
from fleet import ROOT, inside
from probe import Traffic

RULES = ROOT / "roles/prometheus/files/rules"
# Seconds in which Alertmanager has told that something is over.
CALLED_OFF = 40
# Seconds from the cause, beyond the rule's own patience, within which somebody outside is called; and with it.
BEYOND = {"ServerErrorsAboveOnePercent": 60, "PostgresDown": 30}
WITHIN = {"PostgresArchiveFailing": 300}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
PSQL = "runuser -u postgres -- psql -XAtq -c"
# One holds an advisory lock, the other one waits for it.
LOCKED = " && ".join(
    f"systemd-run --quiet --collect --unit={unit} {PSQL} 'select pg_advisory_lock(4711), pg_sleep(900)' && sleep 1"
    for unit in ("story-holds", "story-waits")
)
# A backend goes on when its client is gone; whoever holds that lock or waits for it is ended.
LET_GO = "select pg_terminate_backend(pid) from pg_locks where objid = 4711"
UNLOCKED = f"{PSQL} '{LET_GO}'; systemctl stop story-holds story-waits"
# WAL that leaves nothing behind, more than PostgresReplicationLag lets pass.
WRITTEN = f"{PSQL} \"select pg_logical_emit_message(false, 'story', repeat('x', 32000000))\""
# A disk of 16 MB, which rules do not pass over as they do a tmpfs.
DISK, UNDER = "/srv/story", "/run/story"
FILLED = (
    f"mkdir -p {DISK} {UNDER} && mount -t tmpfs -o size=16m story {UNDER} && cd {UNDER} && mkdir lower upper work && "
    f"mount -t overlay overlay -o lowerdir={UNDER}/lower,upperdir={UNDER}/upper,workdir={UNDER}/work {DISK} && "
    f"fallocate -l 15800K {DISK}/big"
)
EMPTIED = f"umount {DISK} {UNDER}; rmdir {DISK} {UNDER}"
# Most of each second it stands still, and never so long that anybody takes it for dead. Whoever forgets it, it ends.
SLOWED = (
    "pid=$(systemctl show --value -p MainPID pgbouncer) && systemd-run --quiet --collect --unit=story-slow "
    '-p RuntimeMaxSec=900 -p "ExecStopPost=/bin/kill -CONT $pid" '
    'sh -c "while kill -STOP $pid; do sleep 1.2; kill -CONT $pid; sleep 0.2; done"'
)


@dataclass(frozen=True)
class Call:
    """An alert that has to arrive; without an instance where the rule sums over the fleet."""

    alert: str
    instance: str = ""

    @property
    def labels(self) -> dict[str, str]:
        return {"instance": self.instance} if self.instance else {}


@dataclass(frozen=True)
class Cause:
    host: str
    begin: str
    end: str
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Heard:
    """How long after the cause its notification was outside, beyond the rule's own patience; None: never."""

    call: Call
    beyond_for_s: float | None
    cleared: bool
    # Within how many seconds it has to be.
    bar_s: float

    @property
    def late(self) -> bool:
        return self.beyond_for_s is None or self.beyond_for_s > self.bar_s


def stopped(unit: str, host: str, *alerts: str, calls: tuple[Call, ...] = ()) -> Cause:
    """The alerts name this host."""
    mine = tuple(Call(alert, host) for alert in alerts)
    return Cause(host, f"systemctl stop {unit}", f"systemctl start {unit}", mine + calls)


def parts_of_pairs() -> list[Cause]:
    """One of everything that there are two or three of: the on-call person hears of each."""
    primary, replica = data.primary(), data.replica()
    sync = (Call("PostgresSyncStandbyMissing", primary),)
    return [
        stopped("nginx", "lb2", "NginxDown", "EdgeFrontDoorFault"),
        stopped("pgbouncer", "app2", "PgbouncerDown"),
        # Its containers go on: live-restore.
        stopped("docker docker.socket", "app2", "DockerDown"),
        stopped("redis-sentinel", "ops1", "SentinelDown"),
        stopped("etcd", "ops1", "EtcdMemberDown"),
        stopped("patroni", replica, "PatroniMemberDown", "PostgresDown", calls=sync),
        stopped("s3", "world1", calls=(Call("PostgresArchiveFailing", primary),)),
        Cause(
            "lb1",
            "systemd-run --quiet --unit=story-fails false",
            "systemctl reset-failed story-fails",
            (Call("HostUnitFailed", "lb1"),),
        ),
        Cause(primary, LOCKED, UNLOCKED, (Call("PostgresLockWaits", primary),)),
    ]


def front_doors() -> list[Cause]:
    """Nobody outside gets in."""
    outside = (Call("PublicSiteDown"), Call("PriceStreamProbeFailing"))
    return [
        stopped("nginx", "lb1", calls=outside),
        stopped("nginx", "lb2"),
        # While nobody answers the address stays where it is: only without keepalived it is nowhere.
        stopped("keepalived", "lb1", "KeepalivedDown", calls=(Call("EdgeAddressUnheld"),)),
        stopped("keepalived", "lb2", "KeepalivedDown"),
    ]


def stores() -> list[Cause]:
    """The application stands and has nothing to work with. Needs clients: an error nobody makes is no error."""
    primary, replica = data.primary(), data.replica()
    no_database = (Call("NoDatabaseRoute"), Call("ServerErrorsAboveOnePercent"))
    no_redis = (Call("RedisNoMaster"), Call("NoRedisRoute"), Call("SentinelMasterDown"))
    return [
        stopped("patroni", replica),
        stopped("patroni", primary, "PostgresDown", calls=no_database),
        stopped("redis-server", "db1", calls=no_redis),
        stopped("redis-server", "db2"),
    ]


def strained() -> list[Cause]:
    """Everything answers, and nothing is well: a disk is full, a standby lags, the way to the database is slow."""
    primary, replica = data.primary(), data.replica()
    return [
        Cause("lb2", FILLED, EMPTIED, (Call("HostDiskAlmostFull", "lb2"),)),
        Cause(replica, f"{PSQL} 'select pg_wal_replay_pause()'", f"{PSQL} 'select pg_wal_replay_resume()'", ()),
        Cause(primary, WRITTEN, "true", (Call("PostgresReplicationLag", primary),)),
        Cause("app1", SLOWED, "systemctl stop story-slow", (Call("AnswersSlow"), Call("OrdersSlow"))),
        Cause("app2", SLOWED, "systemctl stop story-slow", ()),
    ]


WAVES: dict[str, Callable[[], list[Cause]]] = {
    "parts of pairs": parts_of_pairs,
    "front doors": front_doors,
    "stores": stores,
    "strained": strained,
}


def patience() -> dict[str, int]:
    """How long each rule waits before it calls."""
    found = {}
    for path in RULES.glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                amount, unit = re.fullmatch(r"(\d+)([smhd])", str(rule.get("for", "0s"))).groups()  # type: ignore[union-attr]
                found[rule.get("alert", "")] = int(amount) * UNITS[unit]
    return found


@contextmanager
def ended(causes: list[Cause]) -> Iterator[None]:
    """Whatever happens in between; the last one first."""
    try:
        yield
    finally:
        for cause in reversed(causes):
            inside(cause.host, f"{cause.end} || true")


def arrivals(calls: list[Call], since: float, status: str, seconds: float) -> dict[Call, float]:
    """When each was told outside, of those that were within the time."""
    heard: dict[Call, float] = {}
    until = time.monotonic() + seconds
    while len(heard) < len(calls) and time.monotonic() < until:
        told = watch.told(since)
        for call in calls:
            if call not in heard and (one := watch.among(told, call.alert, status, **call.labels)):
                heard[call] = one["at"]
        time.sleep(1)
    return heard


def wave(causes: list[Cause]) -> list[Heard]:
    """All of it at one moment, until everybody was called; then undone, until everything was called off."""
    waits = patience()
    calls = [call for cause in causes for call in cause.calls]
    # What still calls, for the wave before or for what came before the story, is not told again.
    names = "|".join(sorted({call.alert for call in calls}))
    calling = f'ALERTS{{alertname=~"{names}", alertstate="firing"}}'
    data.wait_until("none of them calls", lambda: not watch.query(calling), 600, says=lambda: watch.query(calling))
    time.sleep(CALLED_OFF)
    with Traffic("world1", seconds=900, rate=10, sockets=2) as load:
        load.wait_ready(60)
        began: dict[Call, float] = {}
        since = watch.now()
        with ended(causes):
            for cause in causes:
                began |= dict.fromkeys(cause.calls, watch.now())
                inside(cause.host, cause.begin)
            called = arrivals(calls, since, "firing", max(waits[call.alert] for call in calls) + 180)
        data.wait_healthy(180)
        off = arrivals(list(called), since, "resolved", 420)
    beyond = {call: round(at - began[call] - waits[call.alert], 1) for call, at in called.items()}
    return [Heard(call, beyond.get(call), call in off, bar(call.alert, waits)) for call in calls]


def bar(alert: str, waits: dict[str, int]) -> float:
    return min(BEYOND.get(alert, math.inf), WITHIN.get(alert, math.inf) - waits[alert])
