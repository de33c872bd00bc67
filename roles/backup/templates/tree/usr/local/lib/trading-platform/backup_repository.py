"""The repository: made where it is missing, and given all that was written. Managed by Ansible (role backup)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from backup_host import Ended, Settings, Trouble, asked_postgres, is_primary
from backup_pgbackrest import info, pgbackrest

# What pgBackRest's info says of a stanza: without one, without a backup, and not the same in each repository.
NO_STANZA, NO_BACKUP, MIXED = {1, 3}, 2, 4
# pgBackRest's exit code where another one has the stanza.
LOCKED = 50
# Seconds that another one has to let go of the stanza, and that the archive has for the last log.
CREATION, FLUSH = 60, 60


def created(told: Settings) -> None:
    """Between two tries of the archiver, which fails until there is a stanza."""
    deadline = time.monotonic() + CREATION
    while True:
        try:
            pgbackrest(told, "stanza-create")
            return
        except Ended as ended:
            if ended.code != LOCKED or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def prepare(told: Settings) -> None:
    """On the primary's host only: a stanza belongs to the cluster."""
    if not is_primary(told):
        sys.stdout.write("The primary's host looks after the repository.\n")
        return
    found = info(told)
    status = found["status"]
    busy = status.get("lock", {}).get("backup", {}).get("held", False)
    codes = {one["status"]["code"] for one in found["repo"]} if status["code"] == MIXED else {status["code"]}
    if codes & NO_STANZA:
        created(told)
        # Of a cluster that has run without backups: where its timelines began was archived to nowhere.
        for history in sorted((Path(told.data) / "pg_wal").glob("*.history")):
            pgbackrest(told, "archive-push", "--no-archive-async", str(history))
        sys.stdout.write(f"made the stanza {told.stanza}\n")
        codes = codes - NO_STANZA | {NO_BACKUP}
    for code in codes - {0, NO_BACKUP}:
        said = f"The repository's state is {code}: see pgbackrest --stanza={told.stanza} info."
        # Where another one serves, an S3 that is away keeps nobody from his work; the next backup fails, and calls.
        if 0 not in codes:
            raise Trouble(said)
        sys.stdout.write(f"{said}\n")
    if NO_BACKUP in codes and not busy:
        sys.stdout.write("There is no backup yet.\n")


def flush(told: Settings) -> None:
    if not is_primary(told):
        raise Trouble("This host is not the primary: what was written last may not be in the archive.")
    # The byte before: where nothing was written since the last switch, the next log is not begun, and never archived.
    last = asked_postgres(told, "select pg_walfile_name(pg_switch_wal() - 1)")
    if not last:
        raise Trouble(
            "PostgreSQL did not say how far its log goes: what was written last may not be in the archive. Say it"
            " again, or see journalctl -u patroni."
        )
    deadline = time.monotonic() + FLUSH
    while asked_postgres(told, "select last_archived_wal from pg_stat_archiver") < last:
        if time.monotonic() > deadline:
            raise Trouble(f"The archive has not got {last} within {FLUSH} s: see journalctl -u patroni.")
        time.sleep(0.5)
    sys.stdout.write(f"The archive has all up to {last}.\n")
