#!/usr/bin/python3 -I
"""This host's own files, encrypted, in S3. Managed by Ansible (role restic); standard library only.

run             copies every set, and lets go of copies older than the role says; for the timers
verify          reads all that the repository holds; for the timers
list            which copies there are
restore PATH    brings PATH back, into a new directory
"""

from __future__ import annotations

import argparse
import fcntl
import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/trading-platform/restic/settings.json")
RESULTS = Path("/var/lib/trading-platform/files-backup")
LOCK = Path("/run/trading-files-backup.lock")
# Seconds that one waits for another here, that S3 has for its first answer, and that a set's own command has.
PATIENCE, FIRST_ANSWER, COMMAND = 3600, 120, 900
# What restic says to its programmers, and of each new try.
NOISE = re.compile(r"\t|github\.com/|golang\.org/|runtime\.|.* returned error, retrying")
# What to do, by what restic says.
ADVICE = {
    "wrong password": "The passphrase is not this repository's: correct restic_repository.passphrase.",
    "Access Denied|AccessDenied|SignatureDoesNotMatch|InvalidAccessKey": "S3 refuses the key: correct key_id and "
    "key_secret, or what the key may do.",
    "bucket does not exist": "Make the bucket, or correct its name.",
    "x509": "S3's certificate is not the one of ca_file's CA, or not for that name.",
    "dial tcp|timeout|deadline|EOF|50[0-9] ": "S3 does not answer: once it does, the next run makes up for this one.",
    "already locked": "Another restic works in the repository, or one died elsewhere: wait half an hour.",
    "verification failed|does not match|invalid data": "Objects in the bucket are damaged: bring them back from the "
    "bucket's versions, or restore from another copy.",
}


class Trouble(Exception):  # noqa: N818 - it is one, and reads as one
    """What a person has to read, with what to do next."""


@dataclass(frozen=True)
class Settings:
    """What the role decides. environment holds the secrets."""

    host: str
    metrics: str
    words: Sequence[str]
    keep: Sequence[str]
    environment: Mapping[str, str]
    sets: Sequence[Mapping[str, Any]]


# ----- pure


def advice(said: str) -> str:
    return next((what for sign, what in ADVICE.items() if re.search(sign, said)), "")


def unmade(said: str) -> bool:
    """Whether S3 answered, and there is no repository. restic asks the same question where S3 is away."""
    return "bucket does not exist" not in said and bool(re.search("(key|repository) does not exist", said))


def moment(text: str) -> datetime:
    """restic counts nanoseconds."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Trouble(f"{text!r} is neither a copy's id nor a time such as '2026-11-21 12:00:00+00:00'.") from None
    if found.tzinfo is None:
        raise Trouble(f"{text!r} has no zone: write '{text}+00:00' for UTC.")
    return found.astimezone(UTC)


def within(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")


def table(copies: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(
        f"{one['short_id']}  {moment(one['time']).isoformat(' ', 'seconds')}  "
        f"{','.join(one.get('tags') or [])}  {' '.join(one['paths'])}"
        for one in sorted(copies, key=lambda one: moment(one["time"]))
    )


def chosen(copies: Sequence[Mapping[str, Any]], path: str, at: str) -> Mapping[str, Any]:
    """The newest copy with the path until that moment, or the one with that id."""
    holding = [one for one in copies if any(within(path, top) for top in one["paths"])]
    if not holding:
        raise Trouble(f"No copy has {path}. There are:\n{table(copies)}")
    if re.fullmatch("[0-9a-f]{8,64}", at):
        fit = [one for one in holding if one["id"].startswith(at)]
    else:
        fit = [one for one in holding if not at or moment(one["time"]) <= moment(at)]
    if not fit:
        raise Trouble(f"No copy of {path} is {at}, or from before it. There are:\n{table(holding)}")
    return max(fit, key=lambda one: moment(one["time"]))


def below(nodes: Sequence[Mapping[str, Any]], path: str) -> list[Mapping[str, Any]]:
    """What a copy holds of the path; where it holds nothing, what it has instead."""
    found = [one for one in nodes if within(one["path"], path)]
    if not found:
        here = next(str(up) for up in Path(path).parents if any(within(one["path"], str(up)) for one in nodes))
        beside = sorted(one["path"] for one in nodes if str(Path(one["path"]).parent) == here)
        raise Trouble(f"The copy has no {path}. In {here} it has:\n" + "\n".join(beside[:40]))
    return found


def literal(path: str) -> str:
    """For restic, to which it would be a pattern."""
    return re.sub(r"([*?\[\\])", r"\\\1", path)


def metrics(results: Sequence[Mapping[str, Any]]) -> str:
    """For node-exporter's textfile collector."""
    kinds = {
        "last_end_timestamp_seconds": "end",
        "last_success_timestamp_seconds": "last_success",
        "duration_seconds": "seconds",
        "size_bytes": "size",
        "added_bytes": "added",
        "ok": "ok",
    }
    return "".join(
        f'trading_files_backup_{metric}{{set="{result["set"]}"}} {float(result[key])}\n'
        for metric, key in kinds.items()
        for result in results
        if result.get(key) is not None
    )


# ----- what is there


def called(words: Sequence[str], environment: Mapping[str, str], patience: float | None = None) -> tuple[str, str]:
    """What a program says, and what it warns of. Secrets come by the environment, never among the words."""
    path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    try:
        ran = subprocess.run(
            words, env={**path, **environment}, capture_output=True, text=True, check=False, timeout=patience
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise Trouble(f"{words[0]}: {problem}") from None
    told = [line for line in ran.stderr.splitlines() if not NOISE.match(line)]
    if ran.returncode:
        said = "\n".join(told[:8] or ran.stdout.splitlines()[-8:])
        raise Trouble(f"{Path(words[0]).name} ended with {ran.returncode}: {said}")
    return ran.stdout, "".join(f"{line}\n" for line in told)


def restic(told: Settings, *words: str, patience: float | None = None) -> str:
    """A cache would keep a damaged object after S3 has the right one again."""
    try:
        said, warned = called(["restic", "--no-cache", *told.words, *words], told.environment, patience)
    except Trouble as trouble:
        raise Trouble(f"{trouble}\n{advice(str(trouble))}".strip()) from None
    sys.stdout.write(warned)
    return said


def copies(told: Settings) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(
        restic(told, "snapshots", "--no-lock", "--json", "--host", told.host, patience=FIRST_ANSWER)
    )
    return found


@contextmanager
def alone() -> Iterator[None]:
    """One at a time on this host, to which the repository belongs."""
    with LOCK.open("w") as lock:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Trouble(f"Another run on this host has taken more than {PATIENCE} s: see ps.") from None
                time.sleep(1)
        yield


# ----- what is done


def ready(told: Settings) -> None:
    """Makes the repository where there has never been one, and clears the locks of runs that were killed."""
    seen = RESULTS / "repository"
    known = seen.read_text() if seen.exists() else ""
    try:
        restic(told, "cat", "config", patience=FIRST_ANSWER)
    except Trouble as trouble:
        if not unmade(str(trouble)):
            raise
        if known == told.environment["RESTIC_REPOSITORY"]:
            raise Trouble(f"{known} is gone. Find out why; without {seen} the next run begins anew.") from None
        restic(told, "init")
    seen.write_text(told.environment["RESTIC_REPOSITORY"])
    restic(told, "unlock")


def copied(told: Settings, one: Mapping[str, Any]) -> Mapping[str, Any]:
    if one.get("command"):
        called(one["command"], one.get("environment") or {}, COMMAND)
    # restic itself is content with less.
    missing = [path for path in one["paths"] if not Path(path).exists()]
    if missing:
        raise Trouble(f"{', '.join(missing)} is not there: nothing of the set {one['name']} was copied.")
    exclude = [f"--exclude={pattern}" for pattern in one.get("exclude") or []]
    # Forced: else a damaged older copy would keep it from making a new one.
    words = ["--json", "--force", "--host", told.host, "--tag", one["name"], *exclude, "--", *one["paths"]]
    said = restic(told, "backup", *words)
    made = json.loads(said.splitlines()[-1])
    return {"snapshot": made["snapshot_id"], "size": made["total_bytes_processed"], "added": made["data_added"]}


def thinned(told: Settings) -> Mapping[str, Any]:
    restic(told, "forget", "--host", told.host, "--group-by", "host,tags", *told.keep, "--prune")
    return {}


def verified(told: Settings) -> Mapping[str, Any]:
    restic(told, "check", "--read-data")
    return {}


def performed(told: Settings, jobs: Mapping[str, Callable[[], Mapping[str, Any]]]) -> None:
    """One after the other, each with its result: one that fails does not keep the others."""
    failed: dict[str, list[str]] = {}
    with ExitStack() as held:
        hindrance: Exception | None = None
        try:
            held.enter_context(alone())
            ready(told)
        except (Trouble, OSError) as problem:
            hindrance = problem
        for name, job in jobs.items():
            result: dict[str, Any] = {"set": name, "host": told.host, "start": time.time(), "ok": False}
            try:
                if hindrance:
                    raise hindrance
                result |= {**job(), "ok": True}
            except (Trouble, OSError) as problem:
                result["message"] = str(problem)
                failed.setdefault(str(problem), []).append(name)
            note(told, result)
    sys.stdout.write(f"{len(jobs) - sum(map(len, failed.values()))} of {len(jobs)} went well: {', '.join(jobs)}\n")
    if failed:
        raise Trouble("\n".join(f"{', '.join(names)}: {problem}" for problem, names in failed.items()))


def note(told: Settings, result: dict[str, Any]) -> None:
    """For people and for metrics: what came of the last run of each set."""
    place, end = RESULTS / f"{result['set']}.json", time.time()
    before = json.loads(place.read_text()) if place.exists() else {}
    result |= {"end": end, "seconds": round(end - result["start"], 1)}
    result["when"] = datetime.fromtimestamp(end, UTC).isoformat(timespec="seconds")
    result["last_success"] = end if result["ok"] else before.get("last_success")
    written(place, json.dumps(result, indent=1) + "\n")
    names = [*(one["name"] for one in told.sets), "retention", "verify"]
    paths = [path for path in (RESULTS / f"{name}.json" for name in names) if path.exists()]
    written(Path(told.metrics), metrics([json.loads(path.read_text()) for path in paths]))


def written(path: Path, text: str) -> None:
    """By another name first: whoever reads it sees the old or the new one."""
    if path.parent.is_dir():
        new = path.with_name(f".{path.name}.new")
        new.write_text(text)
        new.chmod(0o644)
        new.replace(path)


def restore(told: Settings, asked: argparse.Namespace) -> None:
    """All that could be wrong is found before anything is written."""
    path, over = asked.path.rstrip("/"), asked.into == "/"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = Path(asked.into or f"/var/tmp/restored-{stamp}")  # noqa: S108 - a new directory that only root may read
    if not path.startswith("/") or not target.is_absolute():
        raise Trouble("A path begins with /, and so does the place that it goes to.")
    if over and asked.confirm != told.host:
        raise Trouble(f"Into / it replaces what is there: type the host's name too, confirm={told.host}.")
    if not over and target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Trouble(f"{target} is there and not empty: name a new directory.")
    copy = chosen(copies(told), path, asked.at)
    lines = [json.loads(line) for line in restic(told, "ls", "--no-lock", "--json", copy["id"]).splitlines()]
    files = [one for one in below([line for line in lines if "path" in line], path) if one["type"] == "file"]
    size = sum(one.get("size", 0) for one in files)
    free = shutil.disk_usage(next(up for up in (target, *target.parents) if up.exists())).free
    if free < size:
        raise Trouble(f"{target} lacks {size - free} bytes: {size} are to come. Name another place, or make room.")
    where = f"in place of {path}; files that the copy lacks stay" if over else f"to {target}{path}"
    sys.stdout.write(f"{table([copy])}\n{len(files)} files, {size} bytes, {where}\n")
    if not asked.check:
        # Under another name first: who finds the directory finds all of it.
        new = target if over else target.with_name(f"{target.name}.new")
        if not over:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(mode=0o700, parents=True)
        restic(told, "restore", copy["id"], "--no-lock", "--verify", "--include", literal(path), "--target", str(new))
        if not over:
            new.replace(target)
        sys.stdout.write("Restored, and read once more.\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("run", "verify"):
        timed = verbs.add_parser(name)
        timed.add_argument("--jitter", type=int, default=0, help="begin up to so many seconds later, where cron calls")
    verbs.add_parser("list")
    restoring = verbs.add_parser("restore")
    restoring.add_argument("path")
    restoring.add_argument("--at", default="", help="a time with its zone, or a copy's id")
    restoring.add_argument("--into", default="", help="a new directory, or / for where it was")
    restoring.add_argument("--confirm", default="", help="the host's name, for /")
    restoring.add_argument("--check", action="store_true", help="say what would come")
    asked = parser.parse_args()
    try:
        told = Settings(**json.loads(SETTINGS.read_text()))
        RESULTS.mkdir(mode=0o755, parents=True, exist_ok=True)
        if asked.verb in {"run", "verify"}:
            time.sleep(random.uniform(0, asked.jitter))  # noqa: S311
            sets = {one["name"]: partial(copied, told, one) for one in told.sets}
            reading, writing = {"verify": partial(verified, told)}, {**sets, "retention": partial(thinned, told)}
            performed(told, reading if asked.verb == "verify" else writing)
        elif asked.verb == "list":
            sys.stdout.write((table(copies(told)) or "There is no copy yet.") + "\n")
        else:
            # Not while a run lets go of what is being read.
            with alone():
                restore(told, asked)
    except (Trouble, OSError) as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
