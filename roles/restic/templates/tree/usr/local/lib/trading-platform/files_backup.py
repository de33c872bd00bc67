#!/usr/bin/python3 -IB
"""This host's own files, encrypted, in S3. Managed by Ansible (role restic); standard library only.

run             copies every set, and lets go of copies older than the role says; for the timers
verify          reads all that the repository holds; for the timers
list            which copies there are
restore PATH    brings PATH back, into a new directory
rebuild         brings back, where it was, each set of which nothing is here
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

# Isolated (-I), Python does not look beside the program; without bytecode (-B), it leaves nothing there.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from files_backup_copies import table
from files_backup_host import Trouble, alone
from files_backup_jobs import copied, ready, thinned, verified
from files_backup_rebuild import rebuild
from files_backup_restic import Settings, copies
from files_backup_restore import restore
from files_backup_results import RESULTS, note

SETTINGS = Path("/etc/trading-platform/restic/settings.json")


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
            # What restic said and nobody can read (ValueError, LookupError) is no reason to leave the next set out.
            except (Trouble, OSError, ValueError, LookupError) as problem:
                result["message"] = str(problem) or repr(problem)
                failed.setdefault(result["message"], []).append(name)
            note(told, result)
    sys.stdout.write(f"{len(jobs) - sum(map(len, failed.values()))} of {len(jobs)} went well: {', '.join(jobs)}\n")
    if failed:
        raise Trouble("\n".join(f"{', '.join(names)}: {problem}" for problem, names in failed.items()))


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
    rebuilding = verbs.add_parser("rebuild")
    rebuilding.add_argument("--starts-empty", default="", help="sets that are not brought back, with commas")
    rebuilding.add_argument("--check", action="store_true", help="say what would come")
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
                if asked.verb == "rebuild":
                    rebuild(told, asked.starts_empty.split(","), asked.check)
                else:
                    restore(told, asked)
    except (Trouble, OSError) as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
