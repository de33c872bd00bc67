#!/usr/bin/python3
# Managed by Ansible, role log_shipper.
"""Before rsyslog starts: sets its place in the journal back by some seconds.

What rsyslog had read and not yet delivered when it was stopped or killed is read once more. An entry's id follows from the entry, so the
log store takes none of them twice.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def first_line(command: Sequence[str]) -> str:
    """journalctl goes on for ever where it may; its first word is enough."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        process.kill()
    return line


def rewound(cursor: str, seconds: int) -> str:
    """The cursor of the first entry that is at most so much older. The same one where the journal does not know it any more."""
    entry = first_line(["journalctl", "--cursor", cursor, "--output", "json", "--output-fields", "_PID", "--no-pager", "--quiet"])
    try:
        at = int(json.loads(entry)["__REALTIME_TIMESTAMP"]) // 1_000_000 - seconds
    except (ValueError, KeyError):
        return cursor
    line = first_line(["journalctl", f"--since=@{at}", "--output", "export", "--output-fields", "_PID", "--no-pager", "--quiet"])
    return line.removeprefix("__CURSOR=").strip() or cursor


def main() -> int:
    state, seconds = Path(sys.argv[1]), int(sys.argv[2])
    if not state.is_file() or not state.read_text().strip():
        return 0
    part = state.with_suffix(".part")
    part.write_text(rewound(state.read_text().strip(), seconds))
    part.replace(state)
    return 0


if __name__ == "__main__":
    sys.exit(main())
