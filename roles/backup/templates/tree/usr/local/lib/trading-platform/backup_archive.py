"""How far the archive is behind a position of the log. Managed by Ansible (role backup)."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path

from backup_host import Settings, Trouble, run
from backup_pgbackrest import info
from backup_positions import archived, number, position, segment
from backup_source import Source

# With which a log begins, before its first record.
HEADER = 40
# Seconds for which the archive may be behind.
BEHIND = 180
COMMIT = re.compile(r"desc: COMMIT(?:_PREPARED \d+:)? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC")


def timeline(told: Settings, log: str = "?" * 16) -> int:
    """By the logs on this host: the present one has the highest number."""
    there = [path.name[:8] for path in (Path(told.data) / "pg_wal").glob(f"????????{log}")]
    if not there:
        raise Trouble(f"The archive is far behind: this host itself no longer has the log {log}.")
    return int(max(there), 16)


def unarchived(told: Settings, end: int, lsn: str) -> list[float]:
    """When what lies between the archive's end and the position was committed."""
    if end + HEADER >= number(lsn):
        return []
    os.environ["TZ"] = "UTC"
    words = ["-t", str(timeline(told, segment(end))), "-s", position(end), "-e", lsn, "-r", "Transaction"]
    said = run(Path(told.binaries) / "pg_waldump", "-p", Path(told.data) / "pg_wal", *words)
    return [datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp() for when in COMMIT.findall(said)]


def waited(told: Settings, repo: int, source: Source) -> float:
    """Until the archive has every commit; the age of the oldest that it lacked at the source's moment."""
    missing = first = unarchived(told, archived(info(told, repo)["archive"]), source.lsn)
    deadline = time.monotonic() + BEHIND
    while missing:
        if time.monotonic() > deadline:
            raise Trouble(
                f"The archive has not got the logs up to {source.lsn} within {BEHIND} s: see journalctl -u patroni."
            )
        time.sleep(1)
        missing = unarchived(told, archived(info(told, repo)["archive"]), source.lsn)
    return max(0.0, source.at - min(first)) if first else 0.0
