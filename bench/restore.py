"""Both database hosts are destroyed with their volumes while money moves; dr_restore.yml brings all back from S3.

rto_s: from the playbook's start to the app's first answer, as its last lines say; total_s: from the command until all
was back and an order was taken. ratio: rto_s against a plain `pgbackrest restore` and the replay of the same logs, made
on the replica before. rpo_s: from the last transaction that is back to the disaster.
lost_rows_unnamed: rows that were acknowledged before the moment the playbook names, and are not there.
"""

from __future__ import annotations

import json
import sys
import time

import backups
import data
import releases
from fleet import inside, playbook
from probe import Ledger, Redis, execute, prepare, takes_orders

SIZE = 1_000_000_000
SCRATCH = "/var/lib/postgresql/plain"
PLAIN = f"""
set -e
rm -rf {SCRATCH}; mkdir -m 700 {SCRATCH}
pgbackrest --stanza={backups.STANZA} --pg1-path={SCRATCH} --type=default --archive-mode=off restore
binaries=$(dirname /usr/lib/postgresql/*/bin/postgres)
/usr/local/lib/trading-platform/backup_recover.py --binaries $binaries --data {SCRATCH}
rm -rf {SCRATCH}
"""


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def plain() -> float:
    began = time.monotonic()
    execute(data.replica(), "runuser", "-u", "postgres", "--", "sh", "-s", given=PLAIN.encode(), timeout=1800)
    return time.monotonic() - began


def main() -> None:
    prepare()
    releases.any_release()
    backups.wait_first()
    size = backups.grow(SIZE)
    ran = playbook("playbooks/backup.yml", "-e", "do=now", timeout=1800)
    assert ran.code == 0, ran.output
    say(f"{size / 1e9:.2f} GB, full backup taken")
    with Redis("app1", seconds=10) as redis:
        redis.wait_ready()
        redis.result()
    for name in data.DATABASES:
        inside(name, "systemctl start files-backup@run")
    with Ledger("app1", seconds=600, settle=600) as run:
        run.wait_ready()
        time.sleep(90)
        backups.archived()
        by_hand = plain()
        say(f"plain restore and replay: {by_hand:.1f} s")
        time.sleep(30)
        died, wall = time.monotonic(), time.time()
        backups.bare_databases()
        began = time.monotonic()
        ran = playbook("playbooks/dr_restore.yml", "-e", f"confirm={backups.STANZA}", timeout=3600)
        assert ran.code == 0, ran.output
        assert takes_orders()
        total = time.monotonic() - began
        told = run.result(timeout=900)
    said = backups.told(ran)
    # The playbook cannot know when it happened, only that it was before its start.
    rpo = wall - said.last.timestamp()
    assert rpo <= said.rpo, said
    assert said.rto < total, said
    # The journal's clock is this machine's.
    lost_before = [] if told.lost_first_at is None else [told.lost_first_at]
    unnamed = told.lost if lost_before and lost_before[0] < died - rpo - 1 else 0
    figures = {
        "rto_s": round(said.rto, 1),
        "total_s": round(total, 1),
        "rpo_s": round(rpo, 1),
        "lost_rows": float(told.lost),
        "lost_rows_unnamed": float(unnamed),
        # Written before the last copy of Redis' files.
        "redis_lost": float(redis.report().lost),
        "plain_s": round(by_hand, 1),
        "ratio": round(said.rto / by_hand, 1),
        "gigabytes": round(size / 1e9, 2),
    }
    sys.stdout.write(json.dumps({"figures": figures}) + "\n")


if __name__ == "__main__":
    main()
