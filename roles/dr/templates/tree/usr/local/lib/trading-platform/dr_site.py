#!/usr/bin/python3 -I
"""What a site knows of itself and of the other one. Managed by Ansible (role dr); standard library only.

check      may PostgreSQL run here? Not where the other site has taken over since, unless this one follows it
claim      notes in this site's repository that it has taken over
follow     notes that this site follows the other one, as it is now
look       what runs here, how far it has come, and how far the other site's archive goes
catch-up   waits until all of the archive is replayed
hand-over  where a server that was shut down ended; puts the log with its last word where the other site finds it
receive    fetches that log, and waits until it is replayed
lost       what this host committed and the site that took over never got
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/trading-platform/dr/settings.json")
# The other site's repository; only ever read.
OTHER = "--config=/etc/pgbackrest/dr.conf"
SECRETS, OTHER_SECRETS = Path("/etc/pgbackrest/conf.d/secrets.conf"), Path("/etc/pgbackrest/dr.conf")
CLAIM, HANDOVER = "site.json", "handover"
FOLLOWS = Path("/var/lib/trading-platform/dr/follows.json")
MINE = Path("/var/lib/trading-platform/dr/claim.json")
SEGMENT = 16 << 20
PER_ID = (1 << 32) // SEGMENT
# What repo-get ends with where there is no such file; anything else is a repository that cannot be read.
MISSING = 1
# Seconds for a question to a repository. A start of PostgreSQL waits for it while S3 is away.
PATIENCE = 15
POLL = 0.5
COMMIT = re.compile(r"desc: COMMIT(?:_PREPARED \d+:)? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC")
STATE = """select json_build_object('standby', pg_is_in_recovery(), 'timeline', (pg_control_checkpoint()).timeline_id,
    'lsn', case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
    'last_commit', extract(epoch from pg_last_xact_replay_timestamp()), 'now', extract(epoch from clock_timestamp()),
    'system_id', (select system_identifier::text from pg_control_system()))"""


class Trouble(Exception):  # noqa: N818 - it is one, and reads as one
    """What a person has to read, with what to do next."""


@dataclass(frozen=True)
class Settings:
    """What the role decides."""

    stanza: str
    site: str
    data: str
    binaries: str
    postgres_port: int
    checks: Sequence[Mapping[str, str]]


# ----- pure


def number(lsn: str) -> int:
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def position(place: int) -> str:
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def segment(timeline: int, place: int) -> str:
    return f"{timeline:08X}{place >> 32:08X}{place % (1 << 32) // SEGMENT:08X}"


def archived(stanza: Mapping[str, Any]) -> tuple[int, int]:
    """Timeline and end of the archive; zeros where there is none."""
    archive = stanza.get("archive") or []
    present = max((one["database"]["id"] for one in archive), default=0)
    last = max((one["max"] or "" for one in archive if one["database"]["id"] == present), default="")
    return (int(last[:8], 16), (int(last[8:16], 16) * PER_ID + int(last[16:], 16) + 1) * SEGMENT) if last else (0, 0)


def blocked(mine: Mapping[str, Any], other: Mapping[str, Any], follows: Mapping[str, Any]) -> str:
    """Why PostgreSQL may not run here: the site that took over last leads, and the other one follows it or rests."""
    since = float(other.get("since") or 0)
    if since <= float(mine.get("since") or 0) or since == float(follows.get("since") or 0):
        return ""
    return (
        f"Site {other.get('site')} has taken over at {moment(since)}. PostgreSQL stays stopped here, or two sites would"
        " take writes. playbooks/dr_failback.yml brings this one back as its standby."
    )


def fork(history: str, timeline: int) -> int | None:
    """Where a timeline was left, by the history of a later one."""
    rows = [line.split() for line in history.splitlines() if line.strip() and not line.startswith("#")]
    return next((number(row[1]) for row in rows if int(row[0]) == timeline), None)


def judged(facts: dict[str, Any], stanza: Mapping[str, Any]) -> dict[str, Any]:
    """How far the replay is behind the archive's end."""
    timeline, end = archived(stanza)
    sets = [one["label"] for one in stanza.get("backup") or [] if not one.get("error")]
    more = {"archive_timeline": timeline, "archive_end": position(end), "sets": sets}
    if facts.get("lsn"):
        more["behind_bytes"] = max(0, end - number(facts["lsn"]))
    return facts | more


def ended(control: str) -> dict[str, Any]:
    """From pg_controldata of a server that does not run."""
    found = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in control.splitlines())}
    if found.get("Database cluster state") == "shut down in recovery":
        return {}
    if found.get("Database cluster state") != "shut down":
        raise Trouble(
            f"PostgreSQL here was not shut down cleanly: its state is {found.get('Database cluster state')!r}. Start"
            " patroni, see that it is well, and run this again."
        )
    timeline, lsn = int(found["Latest checkpoint's TimeLineID"]), found["Latest checkpoint location"]
    # Whoever has replayed the record that begins there is beyond.
    return {"timeline": timeline, "lsn": position(number(lsn) + 1), "segment": segment(timeline, number(lsn))}


def moment(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds") if seconds else "an unknown moment"


# ----- what is there


def run(words: Sequence[str], given: str | None = None, patience: float | None = None) -> tuple[int, str, str]:
    """As postgres, who owns data, spool and logs."""
    told = [*(["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []), *words]
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
    try:
        ran = subprocess.run(
            told, input=given, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=patience
        )
    except subprocess.TimeoutExpired:
        return 124, "", f"no answer within {patience} s"
    return ran.returncode, ran.stdout, ran.stderr


def asked(told: Settings, query: str, database: str = "postgres") -> str | None:
    """None where PostgreSQL does not answer."""
    code, out, _ = run(["psql", "-XAtqc", query, "-p", str(told.postgres_port), database])
    return out.strip() if code == 0 else None


def claimed(told: Settings, *config: str) -> dict[str, Any] | None:
    """The claim in a repository; empty where there is none, None where it cannot be read."""
    words = ["pgbackrest", *config, f"--stanza={told.stanza}", "repo-get", "--raw", "--ignore-missing", CLAIM]
    code, out, _ = run(words, patience=PATIENCE)
    if code not in {0, MISSING}:
        return None
    found: dict[str, Any] = json.loads(out) if out.strip() else {}
    return found


def kept(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def keep(path: Path, what: Mapping[str, Any]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(what) + "\n")
    new.chmod(0o644)
    new.replace(path)


def source(told: Settings) -> Mapping[str, Any]:
    code, out, errors = run(["pgbackrest", OTHER, f"--stanza={told.stanza}", "info", "--output=json"])
    if code:
        raise Trouble(f"The other site's repository cannot be read: {errors.strip() or out.strip()}")
    found = json.loads(out)
    return found[0] if found else {}


def other_claim(told: Settings) -> dict[str, Any]:
    found = claimed(told, OTHER)
    if found is None:
        raise Trouble("The other site's repository cannot be read, so who leads is not known. Bring S3 back first.")
    return found


# ----- what is done


def check(told: Settings, stop: bool) -> int:
    """Where nobody can say, PostgreSQL may run: an S3 that is away must not stop the site that leads."""
    other = claimed(told, OTHER)
    if other is None:
        sys.stderr.write("The other site's repository does not answer: nothing is known against running here.\n")
        return 0
    mine = {} if not other else claimed(told)
    why = blocked(kept(MINE) if mine is None else mine, other, kept(FOLLOWS))
    if not why:
        return 0
    sys.stderr.write(why + "\n")
    if stop:
        subprocess.run(["systemctl", "stop", "patroni"], check=True)
    return 1


def claim(told: Settings) -> dict[str, Any]:
    since = max(time.time(), float(other_claim(told).get("since") or 0) + 1)
    made = {"site": told.site, "since": since}
    words = ["pgbackrest", f"--stanza={told.stanza}", "repo-put", "--raw", CLAIM]
    code, out, errors = run(words, given=json.dumps(made))
    if code:
        raise Trouble(f"The claim could not be written to this site's repository: {(errors or out).strip()}")
    keep(MINE, made)
    return made | {"lines": [f"site {told.site} leads since {moment(since)}; the other one cannot start as before"]}


def follow(told: Settings) -> dict[str, Any]:
    found = other_claim(told)
    keep(FOLLOWS, found)
    return {"lines": [f"site {told.site} follows {found.get('site') or 'the other site'}"]}


def look(told: Settings) -> dict[str, Any]:
    said = asked(told, STATE)
    facts: dict[str, Any] = {"site": told.site, "state": "down", "data": (Path(told.data) / "PG_VERSION").exists()}
    if said:
        facts |= json.loads(said)
        facts["state"] = "standby" if facts.pop("standby") else "primary"
        facts["checks"] = [
            {"name": one["name"], "ok": asked(told, one["query"], one["database"]) == one["answer"]}
            for one in told.checks
        ]
    if facts["state"] == "primary":
        return facts | {"lines": [f"primary, timeline {facts['timeline']}, at {facts['lsn']}"]}
    facts = judged(facts, source(told))
    if facts["state"] == "down":
        return facts | {"lines": ["PostgreSQL does not run" + ("" if facts["data"] else ", and there is no data")]}
    facts["last"] = moment(facts["last_commit"])
    said_of = f"standby, timeline {facts['timeline']}, replayed to {facts['lsn']}, {facts['behind_bytes']} bytes behind"
    line = f"{said_of} the archive's end {facts['archive_end']}; the last transaction is of {facts['last']}"
    failed = [one["name"] for one in facts["checks"] if not one["ok"]]
    return facts | {"lines": [line, *(f"not as it should be: {name}" for name in failed)]}


def catch_up(told: Settings, lsn: str, timeout: float) -> dict[str, Any]:
    """Until the archive's end is reached and has stayed where it is, or the position."""
    began, before = time.monotonic(), ""
    while True:
        facts = look(told)
        if facts["state"] == "primary":
            return facts
        if lsn and facts.get("lsn") and number(facts["lsn"]) >= number(lsn):
            break
        if not lsn and facts.get("behind_bytes") == 0:
            if before == facts["archive_end"]:
                break
            before = facts["archive_end"]
        if time.monotonic() - began > timeout:
            raise Trouble(
                f"Not replayed up to {lsn or facts['archive_end']} within {timeout:.0f} s, but to {facts.get('lsn')}:"
                " see journalctl -u patroni."
            )
        time.sleep(POLL)
    return facts | {"seconds": round(time.monotonic() - began, 1)}


def passed(told: Settings, secrets: Path, *words: str, given: bytes | None = None) -> bytes:
    """A file of the repository that is no log and no backup. It is encrypted all the same, with the same passphrase."""
    found = re.search(r"^repo1-cipher-pass=(.*)$", secrets.read_text(), re.MULTILINE)
    environment = {**os.environ, "PGBACKREST_CIPHER_PASS": found[1] if found else ""}
    words = ("pgbackrest", *words[:-2], f"--stanza={told.stanza}", *words[-2:])
    ran = subprocess.run(words, input=given, env=environment, cwd="/", capture_output=True, check=False)
    if ran.returncode:
        said = (ran.stderr or ran.stdout).decode(errors="replace").strip()
        raise Trouble(f"{words[-2]} ended with {ran.returncode}: {said or 'there is no such file'}")
    return ran.stdout


def hand_over(told: Settings) -> dict[str, Any]:
    code, out, errors = run([f"{told.binaries}/pg_controldata", told.data])
    if code:
        raise Trouble(f"pg_controldata: {errors.strip()}")
    facts = ended(out)
    if not facts:
        return {"lines": ["this one only followed"]}
    log = (Path(told.data) / "pg_wal" / facts["segment"]).read_bytes()
    passed(told, SECRETS, "repo-put", HANDOVER, given=log)
    return facts | {"lines": [f"shut down at {facts['lsn']} on timeline {facts['timeline']}"]}


def receive(told: Settings, name: str, lsn: str, timeout: float) -> dict[str, Any]:
    facts = look(told)
    if facts["state"] == "standby" and number(facts["lsn"]) < number(lsn):
        log = passed(told, OTHER_SECRETS, OTHER, "repo-get", HANDOVER)
        if len(log) != SEGMENT:
            raise Trouble(f"The other site's last log has {len(log)} bytes instead of {SEGMENT}: hand it over again.")
        # By another name first: the replay takes it as soon as it is there.
        new = Path(told.data) / "pg_wal" / f"{name}.new"
        new.write_bytes(log)
        new.chmod(0o600)
        new.replace(new.with_suffix(""))
    return catch_up(told, lsn, timeout)


def lost(told: Settings) -> dict[str, Any]:
    """By its own logs, after the point that the other site's history says; the data directory is left as it is."""
    logs = sorted(path.name for path in (Path(told.data) / "pg_wal").glob("?" * 24))
    if not logs:
        return {"commits": 0, "lines": ["no logs are left here: what was lost cannot be counted on this host"]}
    timeline = int(logs[-1][:8], 16)
    after, _ = archived(source(told))
    history = f"archive/{told.stanza}/{archive_id(told)}/{after:08X}.history"
    code, out, _ = run(["pgbackrest", OTHER, f"--stanza={told.stanza}", "repo-get", history])
    where = fork(out, timeline) if code == 0 else None
    if where is None:
        return {"commits": 0, "lines": [f"timeline {timeline} of this host was not left by the other site's {after}"]}
    words = ["-p", f"{told.data}/pg_wal", "-t", str(timeline), "-s", position(where), "-r", "Transaction"]
    # It ends with an error where the logs end.
    _, out, _ = run([f"{told.binaries}/pg_waldump", *words])
    when = COMMIT.findall(out)
    line = f"{len(when)} transactions were committed here after {position(where)} and never reached the other site"
    return {"commits": len(when), "lines": [line + (f": from {when[0]} to {when[-1]} UTC" if when else "")]}


def archive_id(told: Settings) -> str:
    found = source(told)
    present = max(found["archive"], key=lambda one: int(one["database"]["id"]))
    return str(present["id"])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    checking = verbs.add_parser("check")
    checking.add_argument("--stop", action="store_true", help="and stop what runs against it")
    for name in ("claim", "follow", "look", "hand-over", "lost"):
        verbs.add_parser(name)
    catching = verbs.add_parser("catch-up")
    receiving = verbs.add_parser("receive")
    receiving.add_argument("--segment", required=True)
    receiving.add_argument("--lsn", required=True, help="up to here")
    for one in (catching, receiving):
        one.add_argument("--timeout", type=float, default=3600)
    return parser.parse_args()


def main() -> int:
    given = arguments()
    told = Settings(**json.loads(SETTINGS.read_text()))
    verbs: dict[str, Callable[[], dict[str, Any]]] = {
        "claim": lambda: claim(told),
        "follow": lambda: follow(told),
        "look": lambda: look(told),
        "hand-over": lambda: hand_over(told),
        "lost": lambda: lost(told),
        "catch-up": lambda: catch_up(told, "", given.timeout),
        "receive": lambda: receive(told, given.segment, given.lsn, given.timeout),
    }
    try:
        if given.verb == "check":
            return check(told, given.stop)
        facts = verbs[given.verb]()
    except Trouble as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    sys.stdout.write(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
