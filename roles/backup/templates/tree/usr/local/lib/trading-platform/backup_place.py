"""A place beside production for one restore, that is gone afterwards. Managed by Ansible (role backup)."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from backup_host import Settings, Trouble, held, run
from backup_interruption import ignore
from backup_server import PORT, Server, recovered
from backup_session import Session
from backup_sets import Target

LOCK = Path("/run/trading-backup/scratch.lock")
# Beside the set itself: logs that are fetched for recovery, temporary files, a little growth.
RESERVE = 1.1
# Tries to remove a directory whose last writers are just ending.
REMOVALS = 60
# Seconds that recovery may take.
PATIENCE = 86400
# Production's settings came with its data. hot_standby=off: nobody reads before the end, so recovery does not insist on
# as many connections as production has. No workers: no scheduler of jobs and no subscription acts from a copy. No
# fsync: nothing of it outlives a crash anyway, and production's own commits would wait behind it.
SMALL = " ".join(
    f"-c {one}"
    for one in (
        "hot_standby=off",
        "archive_mode=off",
        "fsync=off",
        "max_worker_processes=0",
        "autovacuum=off",
        "shared_buffers=64MB",
        "maintenance_work_mem=64MB",
        "max_connections=20",
        "max_wal_senders=0",
        "huge_pages=off",
        "log_destination=stderr",
    )
)


def lacking(size: int, free: int, where: str) -> None:
    needed = int(size * RESERVE)
    if needed > free:
        raise Trouble(
            f"The disk of {where} has {free} bytes free and {needed} are needed: {needed - free} bytes"
            f" ({(needed - free) / 2**30:.2f} GiB) are missing. Make room, or set backup_scratch_directory."
            " Nothing was changed."
        )


class Place:
    """A directory for one restore, and its server."""

    def __init__(self, told: Settings, path: Path) -> None:
        self.told, self.path, self.data = told, path, path / "data"
        self.server = Server(Path(told.binaries), self.data, path)

    def restore(self, target: Target) -> None:
        # With a spool and locks of its own: production's archiving goes on beside it.
        os.environ.update({f"PGBACKREST_{one}_PATH": str(self.path / one.lower()) for one in ("SPOOL", "LOCK")})
        where = [f"--pg1-path={self.data}", f"--tablespace-map-all={self.path}/tablespaces", "--archive-mode=off"]
        run("pgbackrest", f"--stanza={self.told.stanza}", *where, *target.options, "restore")

    def recover(self, more: str = "") -> None:
        hba = self.path / "hba"
        hba.write_text("local all postgres peer\n")
        self.server.more = f"{SMALL} -c hba_file={hba} {more}"
        recovered(self.server, PATIENCE)

    def session(self, database: str) -> Session:
        return Session(database, PORT, str(self.path))

    def program(self, name: str, *words: str | Path) -> str:
        """One of PostgreSQL's, with this server."""
        return run(Path(self.told.binaries) / name, "-h", self.path, "-p", PORT, *words)

    def remove(self) -> None:
        for _ in range(REMOVALS):
            if self.server.works():
                self.server.stop("immediate", 60)
            shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists():
                return
            time.sleep(0.5)
        raise Trouble(f"{self.path} cannot be removed: see who uses it, and remove it by hand.")


def only_one() -> AbstractContextManager[None]:
    busy = "Another drill or restore of a table runs on this host: wait for its end. Nothing was changed."
    return held(LOCK, 0, busy)


@contextmanager
def scratch(told: Settings, size: int) -> Iterator[Place]:
    """Where it fits. What one that was killed has left goes first."""
    root = Path(told.scratch)
    root.mkdir(mode=0o700, exist_ok=True)
    for left in root.glob("run-*"):
        Place(told, left).remove()
    lacking(size, shutil.disk_usage(root).free, told.scratch)
    place = Place(told, Path(tempfile.mkdtemp(prefix="run-", dir=root)))
    try:
        try:
            yield place
        finally:
            # From here on an interruption would leave some of it.
            ignore()
    finally:
        place.remove()
