#!/usr/bin/python3 -I
"""The database's backups, from whichever host is fit for it. Managed by Ansible (role backup); standard library only.

run SCHEDULE    takes the backup, where it is this host's turn; for the timers
prepare         makes the repository's stanza where it is missing; for the role
flush           waits until the archive has all that was written until now; before a restore
"""

from __future__ import annotations

import argparse
import fcntl
import json
import random
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/trading-platform/backup/settings.json")
RESULTS = Path("/var/lib/trading-platform/backup/results")
LOCK = Path("/run/trading-backup/lock")
# What pgBackRest's info says of a stanza: without one, and without a backup.
NO_STANZA, NO_BACKUP = {1, 3}, 2
# pgBackRest's exit code.
LOCKED = 50
# Bytes that a replica may lack and still be read from.
LAG = 64 << 20
# Seconds that a run waits for another one on this host.
PATIENCE = 3600
# Seconds that the archive has for the last log.
FLUSH = 60


class Trouble(Exception):  # noqa: N818 - it is one, and reads as one
    """What a person has to read, with what to do next."""


class Locked(Trouble):
    """Another pgBackRest has the stanza."""


@dataclass(frozen=True)
class Settings:
    """What the role decides."""

    stanza: str
    name: str
    metrics: str
    api: str
    pki: str
    postgres_port: int
    keep_incremental: int
    types: Mapping[str, str]
    data: str
    binaries: str
    scratch: str
    drill: Mapping[str, Any]


# ----- pure


def turn(members: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    """Whose turn it is, and whether that is a replica: the synchronous one, another that keeps up, else the primary.

    At a site that follows another one it is nobody's: what it has is the other one's, who takes its own.
    """
    if any(one["role"] == "standby_leader" for one in members):
        return "", False
    fit = [
        (one["role"] not in {"sync_standby", "quorum_standby"}, one["name"])
        for one in members
        if one["role"] in {"sync_standby", "quorum_standby", "replica"}
        and one["state"] in {"running", "streaming"}
        and isinstance(one.get("lag", 0), int)
        and one.get("lag", 0) <= LAG
    ]
    if fit:
        return min(fit)[1], True
    leaders = [one["name"] for one in members if one["role"] == "leader"]
    if not leaders:
        raise Trouble(
            "The cluster has no leader and no replica that keeps up: no backup was taken. See patronictl list."
        )
    return str(leaders[0]), False


def outdated(sets: Sequence[Mapping[str, Any]], now: float, days: int) -> list[str]:
    """Incremental sets that nothing needs any more, the newest first: each may stand on the one before."""
    limit = now - timedelta(days=days).total_seconds()
    old = [one["label"] for one in sets if one["type"] != "full" and one["timestamp"]["stop"] < limit]
    needed = {label for one in sets if one["label"] not in old for label in one.get("reference") or []}
    return [label for label in reversed(old) if label not in needed]


def metrics(results: Sequence[Mapping[str, Any]]) -> str:
    """For node-exporter's textfile collector."""
    kinds = {
        "last_end_timestamp_seconds": "end",
        "last_success_timestamp_seconds": "last_success",
        "duration_seconds": "seconds",
        "size_bytes": "size",
        "ok": "ok",
    }
    lines = [
        f'trading_backup_{metric}{{schedule="{result["schedule"]}"}} {float(result[key])}'
        for metric, key in kinds.items()
        for result in results
        if result.get(key) is not None
    ]
    return "".join(line + "\n" for line in lines)


# ----- what is there


def settings() -> Settings:
    return Settings(**json.loads(SETTINGS.read_text()))


def cluster(told: Settings) -> list[Mapping[str, Any]] | None:
    """Patroni's members, or None where Patroni cannot say: without etcd backups go on."""
    try:
        context = ssl.create_default_context(cafile=f"{told.pki}/ca.pem")
        context.load_cert_chain(f"{told.pki}/fullchain.pem", f"{told.pki}/key.pem")
        with urllib.request.urlopen(f"{told.api}/cluster", timeout=10, context=context) as answer:  # noqa: S310
            members: list[Mapping[str, Any]] = json.load(answer)["members"]
            return members
    except (OSError, ValueError, KeyError):
        return None


def asked_postgres(told: Settings, query: str) -> str:
    """Empty where it does not run."""
    ask = ["psql", "-XAtqc", query, "-p", str(told.postgres_port), "postgres"]
    return subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()


def is_primary(told: Settings) -> bool:
    return asked_postgres(told, "select not pg_is_in_recovery()") == "t"


def pgbackrest(told: Settings, command: str, *options: str) -> str:
    words = ["pgbackrest", f"--stanza={told.stanza}", command, *options]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    if ran.returncode:
        said = (ran.stdout + ran.stderr).strip().splitlines()[-8:]
        kind = Locked if ran.returncode == LOCKED else Trouble
        raise kind(f"pgbackrest {command} ended with {ran.returncode}:\n" + "\n".join(said))
    return ran.stdout


def info(told: Settings) -> Mapping[str, Any]:
    found: list[Mapping[str, Any]] = json.loads(pgbackrest(told, "info", "--output=json"))
    return found[0] if found else {"status": {"code": 1}, "backup": []}


@contextmanager
def alone() -> Iterator[None]:
    """One run at a time on this host; between hosts pgBackRest's own lock decides."""
    with LOCK.open("w") as lock:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Trouble(f"Another backup runs on this host for more than {PATIENCE} s.") from None
                time.sleep(1)
        yield


# ----- what is done


def on_turn(told: Settings, here: bool) -> tuple[bool, bool]:
    """Whether it is this host's turn, and whether that is a replica. Says whose turn it is instead."""
    members = None if here else cluster(told)
    who, replica = turn(members) if members is not None else ("", False)
    if here or (members is None and is_primary(told)):
        who = told.name
    if who != told.name:
        nobody = "the primary" if members is None else "the other site"
        sys.stdout.write(f"It is {who or nobody}'s turn.\n")
    return who == told.name, replica


def taken(told: Settings, kind: str, here: bool) -> Mapping[str, Any]:
    """The set that this host has just made; nothing where it is another host's turn."""
    ours, replica = on_turn(told, here)
    if not ours:
        return {}
    pgbackrest(told, "backup", f"--type={kind}", "--backup-standby" if replica else "--no-backup-standby")
    sets = info(told)["backup"]
    for label in outdated(sets, time.time(), told.keep_incremental):
        pgbackrest(told, "expire", f"--set={label}")
    made: Mapping[str, Any] = sets[-1]
    return made


def note(told: Settings, result: dict[str, Any]) -> None:
    """For people and for metrics: what came of the last run of each schedule on this host."""
    place = RESULTS / f"{result['schedule']}.json"
    before = json.loads(place.read_text()) if place.exists() else {}
    result["last_success"] = result["end"] if result["ok"] else before.get("last_success")
    written(place, json.dumps(result, indent=1) + "\n")
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    written(Path(told.metrics), metrics(results))


def written(path: Path, text: str) -> None:
    """By another name first: whoever reads it sees the old or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.chmod(0o644)
    new.replace(path)


def run(told: Settings, schedule: str, here: bool) -> None:
    if schedule not in told.types:
        raise Trouble(f"No schedule is called {schedule}; there are {', '.join(told.types)}.")
    began = time.time()
    result: dict[str, Any] = {"schedule": schedule, "host": told.name, "start": began, "ok": False}
    try:
        with alone():
            made = taken(told, told.types[schedule], here)
        if not made:
            return
        result |= {
            "ok": True,
            "label": made["label"],
            "type": made["type"],
            "size": made["info"]["size"],
            "repository_size": made["info"]["repository"]["delta"],
            "wal_start": made["archive"]["start"],
            "wal_stop": made["archive"]["stop"],
        }
    except Trouble as trouble:
        result["message"] = str(trouble)
        raise
    finally:
        if result["ok"] or "message" in result:
            end = time.time()
            note(told, result | {"end": end, "seconds": round(end - began, 1), "when": moment(end)})
    sys.stdout.write(f"{result['label']}, {result['size']} bytes, {round(time.time() - began)} s\n")


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def created(told: Settings) -> None:
    """Between two tries of the archiver, which fails until there is a stanza."""
    deadline = time.monotonic() + FLUSH
    while True:
        try:
            pgbackrest(told, "stanza-create")
            return
        except Locked:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def prepare(told: Settings) -> None:
    """On the primary's host only: a stanza belongs to the cluster."""
    if not is_primary(told):
        sys.stdout.write("The primary's host looks after the repository.\n")
        return
    status = info(told)["status"]
    code, busy = status["code"], status.get("lock", {}).get("backup", {}).get("held", False)
    if code in NO_STANZA:
        created(told)
        # Of a cluster that has run without backups: where its timelines began was archived to nowhere.
        for history in sorted((Path(told.data) / "pg_wal").glob("*.history")):
            pgbackrest(told, "archive-push", "--no-archive-async", str(history))
        sys.stdout.write(f"made the stanza {told.stanza}\n")
        code = NO_BACKUP
    if code not in {0, NO_BACKUP}:
        raise Trouble(f"The repository's state is {code}: see pgbackrest --stanza={told.stanza} info.")
    if code == NO_BACKUP and not busy:
        sys.stdout.write("There is no backup yet.\n")


def flush(told: Settings) -> None:
    if not is_primary(told):
        raise Trouble("This host is not the primary: what was written last may not be in the archive.")
    last = asked_postgres(told, "select pg_walfile_name(pg_switch_wal())")
    deadline = time.monotonic() + FLUSH
    while asked_postgres(told, "select last_archived_wal from pg_stat_archiver") < last:
        if time.monotonic() > deadline:
            raise Trouble(f"The archive has not got {last} within {FLUSH} s: see journalctl -u patroni.")
        time.sleep(0.5)
    sys.stdout.write(f"The archive has all up to {last}.\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    running = verbs.add_parser("run")
    running.add_argument("schedule")
    running.add_argument("--jitter", type=int, default=0, help="begin up to so many seconds later, where cron calls")
    running.add_argument("--here", action="store_true", help="on this host, whoever's turn it is")
    verbs.add_parser("prepare")
    verbs.add_parser("flush")
    asked = parser.parse_args()
    try:
        if asked.verb == "run":
            time.sleep(random.uniform(0, asked.jitter))  # noqa: S311
            run(settings(), asked.schedule, asked.here)
        elif asked.verb == "prepare":
            prepare(settings())
        else:
            flush(settings())
    except Trouble as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
