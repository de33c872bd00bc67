#!/usr/bin/python3 -IB
"""The database's backups, from whichever host is fit for it. Managed by Ansible (role backup); standard library only.

run SCHEDULE    takes the backup, or verifies all that there is, where it is this host's turn; for the timers
prepare         makes the repository's stanza where it is missing; for the role
flush           waits until the archive has all that was written until now; before a restore
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

# Isolated (-I), Python does not look beside the program; without bytecode (-B), it leaves nothing there.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backup_host import PROBLEMS, Settings, Trouble, held, moment, said, settings
from backup_pgbackrest import backed_up, info, pgbackrest
from backup_repository import flush, prepare
from backup_results import note
from backup_sets import outdated
from backup_turn import by_turn, on_turn
from pgbackrest.checking import verify
from pgbackrest.client import Pgbackrest
from pgbackrest.wal import BackupError

LOCK = Path("/run/trading-backup/lock")
# Seconds that a run waits for another one on this host.
PATIENCE = 3600
# A schedule's type, beside pgBackRest's own.
VERIFY = "verify"


def alone() -> AbstractContextManager[None]:
    """One run at a time on this host; between hosts pgBackRest's own lock decides."""
    return held(LOCK, PATIENCE, f"Another backup runs on this host for more than {PATIENCE} s.")


def taken(told: Settings, kind: str, here: bool) -> Mapping[str, Any]:
    """Of the set that this host has just made; nothing where it is another host's turn."""
    ours, replica = on_turn(told, here)
    if not ours:
        return {}
    backed_up(told, f"--type={kind}", "--backup-standby" if replica else "--no-backup-standby")
    sets = info(told)["backup"]
    for one in outdated(sets, time.time(), told.keep_incremental):
        pgbackrest(told, "expire", f"--repo={one['database']['repo-key']}", f"--set={one['label']}")
    made: Mapping[str, Any] = sets[-1]
    return {
        "label": made["label"],
        "type": made["type"],
        "size": made["info"]["size"],
        "repository_size": made["info"]["repository"]["delta"],
        "wal_start": made["archive"]["start"],
        "wal_stop": made["archive"]["stop"],
        "lines": [f"{made['label']}, {made['info']['size']} bytes"],
    }


def verified(told: Settings, here: bool) -> Mapping[str, Any]:
    """What this host has looked at. It takes hours, perhaps, and backups go on meanwhile."""
    if not on_turn(told, here)[0]:
        return {}
    try:
        return {"lines": verify(Pgbackrest(told.stanza))}
    except BackupError as error:
        raise Trouble(str(error)) from error


def performed(told: Settings, kind: str, here: bool) -> Mapping[str, Any]:
    if kind == VERIFY:
        return verified(told, here)
    with alone():
        return taken(told, kind, here)


def run(told: Settings, schedule: str, here: bool) -> None:
    if schedule not in told.types:
        raise Trouble(f"No schedule is called {schedule}; there are {', '.join(told.types)}.")
    began = time.time()
    result: dict[str, Any] = {"schedule": schedule, "host": told.name, "start": began, "ok": False}
    try:
        found = performed(told, told.types[schedule], here)
        if not found:
            return
        result |= {"ok": True, **found}
    except PROBLEMS as problem:
        result["message"] = said(problem)
        raise Trouble(result["message"]) from problem
    finally:
        if result["ok"] or "message" in result:
            end = time.time()
            note(told, result | {"end": end, "seconds": round(end - began, 1), "when": moment(end)})
    sys.stdout.write("\n".join(result["lines"]) + f", {round(time.time() - began)} s\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    running = verbs.add_parser("run")
    running.add_argument("schedule")
    by_turn(running)
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
    except (Trouble, OSError) as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
