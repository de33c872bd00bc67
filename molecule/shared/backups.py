"""What the stories of backups see of them, and the commands by which an operator works with them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any

import data
from fleet import HOSTS, Ran, container, docker, inside, playbook
from probe import Ledger, execute, secret

STANZA = "trading"
PLACE = "/var/lib/trading-platform/backup"
# The repository as plain files, on the fleet's S3.
BUCKET = "/srv/s3/trading-backup"
RUN = "/usr/local/lib/trading-platform/backup_run.py"
SETTLE = 2.0


def pgbackrest(host: str, *words: str) -> str:
    return inside(host, f"runuser -u postgres -- pgbackrest --stanza={STANZA} {' '.join(words)}")


def sets() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(pgbackrest(data.DATABASES[0], "--output=json", "info"))[0]["backup"]
    return found


def wait_first() -> None:
    """site.yml begins the first backup and does not wait for it."""
    data.wait_until("the first backup is there", lambda: bool(sets()), 180)


def restore(*arguments: str, timeout: int = 600) -> Ran:
    return playbook("playbooks/restore_pitr.yml", "-e", f"confirm={STANZA}", *arguments, timeout=timeout)


def refused(name: str, *arguments: str, says: str) -> None:
    ran = playbook(f"playbooks/{name}.yml", *arguments)
    assert ran.code != 0, ran.output
    assert re.search(says, ran.folded), ran.output


def wrote(host: str = "app1") -> Ledger:
    """A run of the ledger that has ended well: its journal, on that host, is what must be there, or must not."""
    with Ledger(host, seconds=60) as run:
        run.wait_ready()
        run.result().assert_sound()
    return run


def moment() -> str:
    """Now, by the database's own clock, with nothing written for a while before and after."""
    time.sleep(SETTLE)
    at = data.sql(data.primary(), "select now()")
    time.sleep(SETTLE)
    return at


def archived() -> None:
    """All that was written until now is in the repository."""
    inside(data.primary(), f"runuser -u postgres -- {RUN} flush")


def assert_holds(present: list[Ledger], absent: list[Ledger]) -> None:
    """Exactly the rows of these runs: all that was acknowledged in some, nothing of the others."""
    for run in present:
        run.report().assert_sound()
    for run in absent:
        told = run.report()
        assert told.lost == told.acknowledged, told.figures
        assert told.unknown_present == 0, told.figures


def forget_what_is_aside() -> None:
    """The old data stays until somebody removes it, and then it is gone from the disk."""
    for name in data.DATABASES:
        assert "PG_VERSION" in inside(name, "ls /var/lib/postgresql/*/trading.before-*")
        inside(name, "rm -r /var/lib/postgresql/*/trading.before-*")


@dataclass(frozen=True)
class Told:
    """The last lines of dr_restore.yml."""

    rows: int
    last: datetime
    rto: float
    rpo: float


TOLD = re.compile(
    r"back: (\d+) rows in \d+ tables.* until: the last transaction is of (\S+ \S+);.* rpo at most ([\d.]+) s.*"
    r" rto ([\d.]+) s"
)


def told(ran: Ran) -> Told:
    found = TOLD.search(ran.folded.partition("Proof, the data")[2])
    assert found, ran.output
    return Told(int(found[1]), datetime.fromisoformat(found[2]), float(found[4]), float(found[3]))


# Between two accounts of the system, so that every invariant of the ledger holds. Without triggers: much faster.
GROW = """
SET session_replication_role = replica;
INSERT INTO ledger.accounts (system_name, asset) VALUES ('issuer', 'EUR') ON CONFLICT DO NOTHING;
WITH made AS (
    INSERT INTO ledger.transactions (reference, kind)
    SELECT gen_random_uuid(), 'transfer' FROM generate_series(1, {rows}) RETURNING id
)
INSERT INTO ledger.entries (transaction_id, account_id, amount)
SELECT made.id, a.id, CASE a.system_name WHEN 'issuer' THEN 1 ELSE -1 END
FROM made, ledger.accounts AS a WHERE a.user_id IS NULL AND a.asset = 'EUR';
"""
SIZE = "select pg_database_size('trading')"
BATCH = 200_000


def grow(size: int) -> int:
    """The ledger to at least so many bytes; returns how many it has."""
    while (has := int(data.sql(data.primary(), SIZE))) < size:
        psql = ("runuser", "-u", "postgres", "--", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "trading")
        execute(data.primary(), *psql, given=GROW.format(rows=BATCH).encode(), timeout=600)
    return has


SECRETS = (
    "vault_backup_s3_key_secret",
    "vault_backup_passphrase",
    "vault_restic_s3_key_secret",
    "vault_restic_passphrase",
)
# Where whoever is on a host may look. It reads the secrets from its stdin, so that they are in no command line.
READABLE = """
import json, os, stat, sys
names = json.load(sys.stdin)
for top in "/etc /usr/local /var/lib/trading-platform /var/lib/prometheus /var/log /tmp /var/tmp /run".split():
    for where, _, files in os.walk(top):
        for path in (os.path.join(where, one) for one in files):
            try:
                seen = os.lstat(path)
                if stat.S_ISREG(seen.st_mode) and seen.st_mode & 0o4:
                    text = open(path, "rb").read()
                    for name, value in names.items():
                        if value.encode() in text:
                            print(path, name)
            except OSError:
                pass
"""
# Every command line that there is while these units work. They begin a moment after they were told to.
COMMANDS = """
systemctl start --no-block {units}
turn=0
while [ $((turn += 1)) -lt 20 ] || systemctl show --value -p ActiveState {units} | grep -q activating; do
    cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; echo
    sleep 0.05
done | sort -u
"""


@cache
def canaries() -> dict[str, str]:
    """All secrets of backups by their names, with what role restic makes for each host of its passphrase."""
    known = {name: secret(name) for name in SECRETS}
    made = {host: f"{host}:{known['vault_restic_passphrase']}" for host in HOSTS}
    return known | {f"{host}'s passphrase": sha256(text.encode()).hexdigest() for host, text in made.items()}


def secrets_in(text: str) -> list[str]:
    """Names only. Not to be called in an assert, which would print the text."""
    return [name for name, value in canaries().items() if value in text]


def readable_secrets(host: str) -> list[str]:
    return execute(host, "python3", "-c", READABLE, given=json.dumps(canaries()).encode()).splitlines()


def commands_during(host: str, *units: str) -> str:
    return inside(host, COMMANDS.format(units=" ".join(units)))


def bare_databases() -> None:
    bare(data.DATABASES)


def bare(names: Sequence[str]) -> None:
    """These hosts are destroyed with their volumes; new ones, with nothing on them, have their addresses."""
    for name in names:
        assert docker("rm", "--force", "--volumes", container(name)).code == 0
    # A bare ops1 has no vendors' packages, which the fleet plays itself.
    for part in ("up", "world/standins"):
        made = playbook(f"playbooks/fleet/{part}.yml")
        assert made.code == 0, made.output
