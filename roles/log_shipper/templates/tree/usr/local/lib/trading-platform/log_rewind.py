#!/usr/bin/python3
# Managed by Ansible, role log_shipper.
"""Before rsyslog starts: sets its place in the journal back by some seconds, and by at least as many entries as may be
under way.

What rsyslog had read and not yet delivered when it was stopped or killed is read once more. An entry's id follows from
the entry, so the
log store takes none of them twice.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# More than may be under way: 200 that rsyslog reads before it notes its place, 256 in its queue, 128 of RELP.
ENTRIES = 1000
FIELDS = ("--output-fields", "_PID", "--no-pager", "--quiet")


def first_line(command: Sequence[str]) -> str:
    """journalctl goes on for ever where it may; its first word is enough."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        process.kill()
    return line


def last_line(command: Sequence[str]) -> str:
    said = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    ).stdout.splitlines()
    return said[-1] if said else ""


def rewound(cursor: str, seconds: int, floor: int) -> tuple[str, int]:
    """The cursor of the first entry that is at most so much older, and its time; the same one where the journal does
    not know it any more.

    Never before the last place that it was set back to: a service that is restarted again and again would go back
    further each time.
    """
    entry = first_line(["journalctl", "--cursor", cursor, "--output", "json", *FIELDS])
    older = last_line(
        ["journalctl", "--cursor", cursor, "--reverse", "--lines", str(ENTRIES), "--output", "json", *FIELDS]
    )
    try:
        before = int(json.loads(older)["__REALTIME_TIMESTAMP"]) // 1_000_000
    except (ValueError, KeyError):
        before = sys.maxsize
    try:
        at = max(int(json.loads(entry)["__REALTIME_TIMESTAMP"]) // 1_000_000 - seconds, floor)
        at = min(at, before)
    except (ValueError, KeyError):
        return cursor, floor
    line = first_line(["journalctl", f"--since=@{at}", "--output", "export", *FIELDS])
    return line.removeprefix("__CURSOR=").strip() or cursor, at


def main() -> int:
    state, seconds = Path(sys.argv[1]), int(sys.argv[2])
    if not state.is_file() or not state.read_text().strip():
        return 0
    note = state.with_suffix(".floor")
    floor = int(note.read_text()) if note.is_file() and note.read_text().strip().isdigit() else 0
    cursor, at = rewound(state.read_text().strip(), seconds, floor)
    for place, text in ((state, cursor), (note, str(at))):
        part = place.with_suffix(".part")
        part.write_text(text)
        part.replace(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
