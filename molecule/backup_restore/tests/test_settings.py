"""What a firm may set and this fleet does not: cron for timers, and a second repository."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

import backups
import data
import pytest
import watch
from backups import BUCKET, PLACE, assert_holds, forget_what_is_aside, restore, wrote
from fleet import inside, playbook, site

pytestmark = pytest.mark.long

PART = ("--tags", "backup", "--limit", "db")
SECOND = f"{BUCKET}-2"
# Every minute, so that cron's turn comes while the test looks.
SOON = [
    {"name": "full", "type": "full", "calendar": "*-*-* 01:30"},
    {"name": "incremental", "type": "incr", "calendar": "*-*-* *:*"},
    {"name": "verify", "type": "verify", "calendar": "Sat *-*-* 03:30"},
]
REPOSITORIES = ["{{ __backup_world }}", "{{ __backup_world | combine({'bucket': 'trading-backup-2'}) }}"]


@contextlib.contextmanager
def settings(**given: object) -> Iterator[tuple[str, ...]]:
    """The databases' backups are set so; what a run has to be told to keep it."""
    told = (*PART, "-e", json.dumps(given))
    try:
        ran = site(*told)
        assert ran.code == 0, ran.output
        yield told
    finally:
        back = site(*PART)
        assert back.code == 0, back.output


def timers() -> dict[str, str]:
    """What systemd starts, or would at the next boot, by host."""
    asked = "systemctl list-units --all --plain --no-legend 'backup-*.timer'; find /etc/systemd -name 'backup-*.timer'"
    return {name: inside(name, asked).strip() for name in data.DATABASES}


def test_cron_runs_the_schedules_and_no_timer_does() -> None:
    try:
        with settings(backup_scheduler="cron", backup_schedules=SOON, backup_jitter=1) as told:
            assert timers() == dict.fromkeys(data.DATABASES, "")
            began, who = time.time(), data.replica()

            def has_run() -> bool:
                last = json.loads(inside(who, f"cat {PLACE}/results/incremental.json"))
                return bool(last["ok"] and last["start"] > began)

            data.wait_until("cron has made a backup", has_run, 150)
            assert " bytes, " in inside(who, f"journalctl -q -t backup -o cat --since=@{began:.0f}")
            again = site(*told)
            assert (again.code, sum(again.changed.values())) == (0, 0), again.output
    finally:
        for name in data.DATABASES:
            inside(name, "DEBIAN_FRONTEND=noninteractive apt-get -qq purge cron >/dev/null")
    assert all("backup-incremental.timer" in shown for shown in timers().values()), timers()
    assert "trading-" not in inside("db1", "ls /etc/cron.d")


@contextlib.contextmanager
def away(bucket: str) -> Iterator[None]:
    """The service keeps what it has read of a bucket, so it starts anew."""
    inside("world1", f"mv {bucket} {bucket}.away && systemctl restart s3")
    try:
        yield
    finally:
        inside("world1", f"rm -rf {bucket}; mv {bucket}.away {bucket} && systemctl restart s3")


def test_a_second_repository_has_all_and_restores_while_the_first_is_away() -> None:
    like = f"-o $(stat -c %U {BUCKET}) -g $(stat -c %G {BUCKET}) -m $(stat -c %a {BUCKET})"
    inside("world1", f"install -d {like} {SECOND} && systemctl restart s3")

    def in_second() -> list[str]:
        return [one["label"] for one in backups.sets() if one["database"]["repo-key"] == 2]

    try:
        with settings(backup_repositories=REPOSITORIES):
            data.wait_until("the second repository has its first backup", lambda: bool(in_second()), 300)
            whole = playbook("playbooks/backup.yml", "-e", "do=verify")
            assert whole.code == 0, whole.output
            kept = wrote()
            backups.archived()
            with away(BUCKET):
                sets = len(in_second())
                half = playbook("playbooks/backup.yml", "-e", "do=now")
                assert half.code != 0, half.output
                assert "repository 1" in half.folded, half.output
                assert len(in_second()) == sets + 1
                late = wrote()
                data.sql(data.primary(), "select pg_switch_wal()")
                planned = restore("-e", "latest=true", "--check")
                assert planned.code == 0, planned.output
                assert "repository 2" in planned.folded, planned.output
                ran = restore("-e", "latest=true")
                assert ran.code == 0, ran.output
                data.wait_healthy(120)
                assert_holds([kept, late], [])
            forget_what_is_aside()
            # What waited for the first one is sent, and a backup of the new timeline goes into both.
            data.wait_until("logs go on into both", lambda: not watch.raised("PostgresArchiveFailing"), 240)
            again = playbook("playbooks/backup.yml", "-e", "do=now")
            assert again.code == 0, again.output
    finally:
        inside("world1", f"rm -r {SECOND}")
    shown = backups.pgbackrest("db1", "--output=json", "info")
    assert [one["key"] for one in json.loads(shown)[0]["repo"]] == [1], shown
