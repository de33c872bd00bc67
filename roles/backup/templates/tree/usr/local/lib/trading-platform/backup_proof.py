#!/usr/bin/python3 -IB
"""What a database holds that was brought back, until when, and how long that took. Managed by Ansible (role backup).

For the last lines of dr_restore.yml; standard library only. Ends with 1 where a check of backup_drill_checks fails.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

# Isolated (-I), Python does not look beside the program; without bytecode (-B), it leaves nothing there.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backup_host import PROBLEMS, RECOVERED, Settings, moment, remembered, said, settings
from backup_session import Session
from backup_source import counted, databases

# Tables that are named.
LARGEST = 5
# Seconds that a recovery may lie back and still be this disaster's: an earlier run was stopped after it.
SAME = 86400


def rows(counts: Mapping[str, int]) -> str:
    largest = sorted(counts, key=lambda name: -counts[name])[:LARGEST]
    named = ", ".join(f"{name} {counts[name]}" for name in largest)
    return f"back: {sum(counts.values())} rows in {len(counts)} tables, most of them in {named or 'none'}"


def failed(one: Mapping[str, str], answers: Mapping[str, str]) -> bool:
    return answers[one["name"]] != one.get("answer", answers[one["name"]])


def check(one: Mapping[str, str], answers: Mapping[str, str]) -> str:
    if "answer" not in one:
        return f"answer: {one['name']}: {answers[one['name']]}"
    outcome = f"FAILED, the answer is {answers[one['name']]!r}" if failed(one, answers) else "as it should be"
    return f"check: {one['name']}: {outcome}"


def until(note: Mapping[str, Any], began: float) -> Iterator[str]:
    at = float(note.get("at") or 0)
    if at < began - SAME:
        yield "until: now; the database was there, and nothing of it was brought back"
        return
    last = note.get("last_commit")
    yield f"until: the last transaction is of {last or 'the backup itself'}; what came later is not there"
    if last:
        # It was lost before this run began, or the one before that brought it back.
        most = max(0.0, min(began, at) - float(note["last_commit_at"]))
        yield f"rpo at most {most:.1f} s, from there to the run that brought it back; less where it was lost before"


def took(began: float, served: float, now: float, most: float) -> str:
    if not served:
        return f"rto not measured: the front door shows its maintenance page; the run took {now - began:.1f} s"
    rto = served - began
    bar = f"allowed: {most:.0f}" if rto <= most else f"MORE than the {most:.0f} s that are allowed"
    return (
        f"rto {rto:.1f} s ({bar}), from the start of this run until the application answered; all of it took"
        f" {now - began:.1f} s"
    )


def proved(told: Settings, began: float, served: float) -> bool:
    with ExitStack() as opened:
        first = opened.enter_context(Session("postgres", str(told.postgres_port)))
        sessions = {name: opened.enter_context(Session(name, str(told.postgres_port))) for name in databases(first)}
        for one in sessions.values():
            one.ask("begin isolation level repeatable read, read only")
        counts, answers = counted(told, sessions)
    checks = told.drill["checks"]
    lines = [rows(counts), *(check(one, answers) for one in checks), *until(remembered(RECOVERED), began)]
    lines.append(took(began, served, time.time(), told.drill["rto"]))
    sys.stdout.write("\n".join(lines) + "\n")
    return not any(failed(one, answers) for one in checks)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--began", type=float, required=True, help="when the run began, in seconds since 1970")
    parser.add_argument("--served", type=float, default=0, help="when the application answered")
    asked = parser.parse_args()
    try:
        return 0 if proved(settings(), asked.began, asked.served) else 1
    except PROBLEMS as problem:
        sys.stderr.write(f"At {moment(time.time())}: {said(problem)}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
