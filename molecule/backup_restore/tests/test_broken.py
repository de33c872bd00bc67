"""What the archive and the disks do to the database when they break, and what a restore says that cannot work."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import data
import pytest
import watch
from backups import RUN, STANZA, refused
from fleet import inside, playbook
from probe import Ledger

SECRETS = "/etc/pgbackrest/conf.d/secrets.conf"
SCRATCH = "/var/lib/postgresql/15/trading.scratch"
# Room for the logs that are there, and this much more.
SPARE_MB = 96


@contextlib.contextmanager
def wrong(setting: str, *names: str) -> Iterator[None]:
    """A secret that was mistyped."""
    for name in names:
        inside(
            name,
            f"cp -p {SECRETS} {SECRETS}.kept && sed -i 's|^\\({setting}\\)=.*|\\1=a-wrong-one-of-twenty|' {SECRETS}",
        )
    try:
        yield
    finally:
        for name in names:
            inside(name, f"mv {SECRETS}.kept {SECRETS}")


def archiver(name: str) -> tuple[int, int]:
    """Logs that were archived, and attempts that failed."""
    told = data.sql(name, "select archived_count, failed_count from pg_stat_archiver").split("|")
    return int(told[0]), int(told[1])


def says(name: str, words: str, since: float) -> bool:
    """Whether PostgreSQL's journal has these words, as a runbook looks for them."""
    looked = f"journalctl -u patroni -o cat --no-pager --since=@{since:.0f} -g '{words}' | head -c 400"
    return words in inside(name, looked)


def test_a_wrong_passphrase_is_told_before_anything_stops() -> None:
    main = data.primary()
    before = main, data.timeline(), data.postmaster(main)
    with wrong("repo1-cipher-pass", *data.DATABASES):
        refused("restore_pitr", "-e", "latest=true", "-e", f"confirm={STANZA}", says="not the one it was written with")
    assert (data.primary(), data.timeline(), data.postmaster(main)) == before


def test_a_drill_without_room_says_how_much_is_missing() -> None:
    # It stays, and later drills have to be able to work there.
    own = f"install -d -o postgres -g postgres -m 700 {SCRATCH}"
    small = f"{own} && mount -t tmpfs -o size=8m,uid=$(id -u postgres),mode=700 tmpfs {SCRATCH}"
    with contextlib.ExitStack() as mounted:
        for name in data.DATABASES:
            inside(name, small)
            mounted.callback(inside, name, f"umount {SCRATCH}")
        refused("dr_drill", says="are missing. Make room")


@pytest.mark.long
def test_a_wrong_key_fails_the_archive_and_nothing_is_lost() -> None:
    """FAULT 11: PostgreSQL counts each attempt that failed, keeps the logs, and sends them once the key is right.

    An alert is raised, and the journal that its runbook leads to says that archiving fails.
    """
    main, began = data.primary(), time.time()
    with Ledger("app1", seconds=400, rate=100) as run:
        run.wait_ready()
        archived, failed = archiver(main)
        with wrong("repo1-s3-key-secret", *data.DATABASES):
            data.sql(main, "select pg_switch_wal()")
            data.wait_until("an attempt has failed", lambda: archiver(main)[1] > failed, 120)
            data.wait_until("the alert", lambda: watch.raised("PostgresArchiveFailing", instance=main), 90)
            assert says(main, "archive command failed", began)
        data.wait_until("the archive goes on", lambda: archiver(main)[0] > archived, 180)
        outcome = run.result()
    outcome.assert_unnoticed()


@pytest.mark.long
def test_a_full_log_disk_costs_no_acknowledged_row() -> None:
    """FAULT 9: S3 is away, so the logs stay; their disk fills up; the primary falls over, the other one takes over."""
    who, other, began = data.replica(), data.primary(), time.time()
    directory = inside(who, "ls -d /var/lib/postgresql/*/trading/pg_wal").strip()
    with data.stopped("patroni", who):
        size = int(inside(who, f"du -sm {directory}").split()[0]) + SPARE_MB
        options = f"size={size}m,uid=$(id -u postgres),gid=$(id -g postgres),mode=700"
        inside(
            who,
            f"mv {directory} {directory}.kept && mkdir {directory} && mount -t tmpfs -o {options} tmpfs {directory}"
            f" && cp -a {directory}.kept/. {directory}/ && rm -r {directory}.kept",
        )
    data.wait_healthy(120)
    try:
        assert playbook("playbooks/switchover.yml").code == 0
        data.wait_healthy(120)
        assert data.primary() == who
        with Ledger("app1", seconds=300, rate=100) as run:
            run.wait_ready()
            with data.stopped("s3", "world1"):
                fill(who, lambda: data.leads(other))
                assert says(who, "No space left on device", began)
                run.wait_writing(60)
                inside(who, f"mount -o remount,size={size + 1000}m {directory}")
            # Where it has to rewind, Patroni first archives each log that waits: a minute for each while S3 is away.
            data.wait_healthy(180)
            outcome = run.result()
        outcome.assert_sound()
        data.wait_until("the archive catches up", archive_is_complete, 180)
    finally:
        if data.primary() == who:
            playbook("playbooks/switchover.yml")
            data.wait_healthy(120)
        with data.stopped("patroni", who):
            inside(
                who,
                f"mkdir -m 700 {directory}.kept && chown postgres: {directory}.kept"
                f" && cp -a {directory}/. {directory}.kept/ && umount {directory} && rmdir {directory}"
                f" && mv {directory}.kept {directory}",
            )


def archive_is_complete() -> bool:
    return "archive has all" in inside(data.primary(), f"runuser -u postgres -- {RUN} flush || true")


def fill(name: str, is_full: Callable[[], bool]) -> None:
    """A log file of 16 MB a turn."""
    for _turn in range(120):
        if is_full():
            return
        with contextlib.suppress(AssertionError):
            data.sql(name, "select pg_switch_wal() from pg_logical_emit_message(false, 'story', 'x')")
        time.sleep(0.5)
    raise AssertionError("the disk never filled up")
