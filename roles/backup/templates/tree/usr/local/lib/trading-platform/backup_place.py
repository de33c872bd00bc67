"""A place beside production for one restore, that is gone afterwards. Managed by Ansible (role backup)."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from backup_recover import PORT, Server, recovered
from backup_run import Settings, Trouble

LOCK = Path("/run/trading-backup/scratch.lock")
# Beside the set itself: logs that are fetched for recovery, temporary files, a little growth.
RESERVE = 1.1
# Tries to remove a directory whose last writers are just ending.
REMOVALS = 60
# Seconds that recovery may take.
PATIENCE = 86400
END = "-- end of the answer --\n"
# Production's settings came with its data. hot_standby=off: nobody reads before the end, so recovery does not insist on
# as many connections as production has. No workers: no scheduler of jobs and no subscription acts from a copy.
SMALL = " ".join(
    f"-c {one}"
    for one in (
        "hot_standby=off",
        "archive_mode=off",
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


@dataclass(frozen=True)
class Target:
    """What pgBackRest gets. The set is always said: for a time that none reaches pgBackRest would take the latest."""

    set: str
    timeline: int
    type: str
    value: str = ""
    exclusive: bool = False

    @property
    def options(self) -> list[str]:
        given = [f"--set={self.set}", f"--type={self.type}", f"--target-timeline={self.timeline}"]
        if self.type != "default":
            given += [f"--target={self.value}", "--target-action=promote"]
        return given + ["--target-exclusive"] * self.exclusive


def lacking(size: int, free: int, where: str) -> None:
    needed = int(size * RESERVE)
    if needed > free:
        raise Trouble(
            f"The disk of {where} has {free} bytes free and {needed} are needed: {needed - free} bytes"
            f" ({(needed - free) / 2**30:.2f} GiB) are missing. Make room, or set backup_scratch_directory."
            " Nothing was changed."
        )


def run(*words: str | Path) -> str:
    """Ends with this program, and so do its children: pgBackRest's workers would outlive it."""
    told, pipe = [str(word) for word in words], subprocess.PIPE
    with subprocess.Popen(
        told, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, process_group=0
    ) as process:
        try:
            out, errors = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
    if process.returncode:
        said = "\n".join((out + errors).strip().splitlines()[-8:])
        raise Trouble(f"{Path(told[0]).name} ended with {process.returncode}:\n{said}")
    return out


class Session:
    """One connection for several questions, so that a transaction stays open between them."""

    def __init__(self, database: str, port: str, host: str = "") -> None:
        # By the environment, where a name is no connection string. Counting takes longer than clients are allowed.
        unlimited = "-c idle_in_transaction_session_timeout=0 -c statement_timeout=0"
        told = {**os.environ, "PGDATABASE": database, "PGPORT": port, "PGOPTIONS": unlimited}
        words, pipe = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *(["-h", host] if host else [])], subprocess.PIPE
        self.database = database
        self.psql = subprocess.Popen(words, env=told, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.psql.kill()
        self.psql.communicate()

    def ask(self, query: str) -> str:
        into, out, errors = self.psql.stdin, self.psql.stdout, self.psql.stderr
        assert into
        assert out
        assert errors
        lines: list[str] = []
        with suppress(BrokenPipeError):
            into.write(f"{query}\n;\\echo {END}")
            into.flush()
        for line in out:
            if line == END:
                return "".join(lines).strip()
            lines.append(line)
        raise Trouble(f"{self.database}: {errors.read().strip()}")


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
            if (self.data / "postmaster.pid").exists():
                self.server.control("-m", "immediate", "-w", "-t", "60", "stop")
            shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists():
                return
            time.sleep(0.5)
        raise Trouble(f"{self.path} cannot be removed: see who uses it, and remove it by hand.")


@contextmanager
def only_one() -> Iterator[None]:
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble(
                "Another drill or restore of a table runs on this host: wait for its end. Nothing was changed."
            ) from None
        yield


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
        yield place
    finally:
        place.remove()
