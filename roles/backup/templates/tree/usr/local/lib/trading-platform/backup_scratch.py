#!/usr/bin/python3 -IB
"""Restores beside production, into a scratch directory that is gone afterwards. Managed by Ansible (role backup).

drill    rehearses, where it is this host's turn: restores up to a position of the source, compares, measures, reports
table    brings one table or one database of a moment back into the primary, under a new name
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

# Isolated (-I), Python does not look beside the program; without bytecode (-B), it leaves nothing there.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backup_drill import drill
from backup_host import Settings, Trouble, settings
from backup_interruption import heed
from backup_place import only_one
from backup_sets import Target
from backup_table import bring_back, refuse
from backup_turn import by_turn, on_turn


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    by_turn(verbs.add_parser("drill"))
    one = verbs.add_parser("table")
    one.add_argument("--database", required=True)
    one.add_argument("--table", default="", help="with its schema; the whole database without")
    one.add_argument("--into", required=True, help="the new schema of the table, or the new database")
    one.add_argument("--repo", type=int, help="the repository that has the set")
    one.add_argument("--set", help="the set to begin with")
    one.add_argument("--timeline", type=int, help="the timeline of the moment")
    one.add_argument(
        "--type", choices=["time", "xid", "lsn", "default"], help="kind of the moment; default is the logs' end"
    )
    one.add_argument("--target", default="", help="the moment")
    one.add_argument("--check", action="store_true", help="only say what stands in the way")
    return parser.parse_args()


def begun(told: Settings, asked: argparse.Namespace) -> int:
    if asked.verb == "drill":
        time.sleep(random.uniform(0, asked.jitter))  # noqa: S311
        if not on_turn(told, asked.here)[0]:
            return 0
        with only_one():
            return drill(told)
    refuse(told, asked)
    if not asked.check:
        with only_one():
            bring_back(told, asked, Target(asked.repo, asked.set, asked.timeline, asked.type, asked.target))
    return 0


def main() -> int:
    asked = arguments()
    heed("Interrupted: what was restored is removed.")
    # Production comes first.
    os.nice(10)
    subprocess.run(["ionice", "-c", "3", "-p", str(os.getpid())], check=False)
    try:
        return begun(settings(), asked)
    except (Trouble, OSError) as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
