"""Backups: taken by whoever's turn it is, loud when they fail, and never at the cost of the database."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import backups
import data
import pytest
import watch
from backups import BUCKET, PLACE, RUN, STANZA, refused
from fleet import inside, playbook
from probe import Ledger


def result(host: str, schedule: str) -> dict[str, object]:
    told: dict[str, object] = json.loads(inside(host, f"cat {PLACE}/results/{schedule}.json"))
    return told


def test_the_replica_is_read_from_and_the_primary_is_left_in_peace() -> None:
    before = len(backups.sets())
    ran = playbook("playbooks/backup.yml", "-e", "do=now", "-e", "schedule=incremental")
    assert ran.code == 0, ran.output
    assert f"{data.replica()}'s turn" in ran.output, ran.output
    told = result(data.replica(), "incremental")
    assert (told["ok"], told["type"]) == (True, "incr"), told
    assert len(backups.sets()) == before + 1
    metrics = inside(data.replica(), "cat /var/lib/prometheus/node-exporter/trading_backup.prom")
    assert 'trading_backup_ok{schedule="incremental"} 1' in metrics


def test_timers_are_there_and_make_up_for_missed_runs() -> None:
    for name in data.DATABASES:
        for timer in ("backup-full", "backup-incremental", "backup-verify", "backup-scratch-drill"):
            shown = inside(name, f"systemctl show {timer}.timer -p ActiveState -p UnitFileState -p Persistent")
            assert set(shown.split()) == {"ActiveState=active", "UnitFileState=enabled", "Persistent=yes"}, shown


def test_no_secret_shows() -> None:
    """While backups run, and in what they leave; the keys of both kinds, and what is made of them for each host."""
    for name in (*data.DATABASES, "lb1", "app1", "ops1"):
        units, left = ["files-backup@run"], "/var/lib/trading-platform/files-backup"
        if name in data.DATABASES:
            units, left = (
                [*units, "backup@incremental"],
                f"{left} {PLACE} /etc/pgbackrest/pgbackrest.conf /var/log/pgbackrest",
            )
        commands = backups.commands_during(name, *units)
        said = inside(
            name,
            "systemctl cat 'backup*' 'files-backup*' 'pgbackrest-*'; journalctl -q -b | tail -n 20000;"
            f" cat /var/lib/prometheus/node-exporter/*.prom; find {left} -type f -exec cat {{}} +",
        )
        found = backups.secrets_in(commands + said) + backups.readable_secrets(name)
        assert found == [], name
        assert "restic --no-cache" in commands, "no copy was made meanwhile, so nothing could show"
        assert ("--type=incr" in commands) == (name == data.replica()), "no backup was taken meanwhile, or by both"
        assert inside(name, "stat -c '%a %U' /etc/trading-platform/restic/settings.json").strip() == "600 root"
    for name in data.DATABASES:
        assert inside(name, "stat -c '%a %U %G' /etc/pgbackrest/conf.d/secrets.conf").strip() == "640 root postgres"


@pytest.mark.long
def test_no_secret_shows_in_what_a_run_prints() -> None:
    ran = playbook("site.yml", "--tags", "backup", "--limit", "db1", "-vvv", "--diff")
    found = backups.secrets_in(ran.output)
    assert found == []
    assert ran.code == 0


@contextlib.contextmanager
def flipped(*objects: str) -> Iterator[None]:
    """Three bytes in the middle of each are others."""
    those, kept = " ".join(objects), "/var/tmp/kept.tar"
    flip = "printf '\\377\\000\\377' | dd of=$one bs=1 seek=$(($(stat -c %s $one) / 2)) conv=notrunc status=none"
    inside("world1", f"tar -Pcf {kept} {those} && for one in {those}; do {flip} || exit 1; done")
    try:
        yield
    finally:
        inside("world1", f"tar -Pxpf {kept} && rm {kept}")


def stored(what: str) -> list[str]:
    """Objects of the repository, by an expression of find."""
    return inside("world1", f"find {BUCKET}/{STANZA} -type f {what} | sort").split()


def newest_segment() -> str:
    """The last log of the present timeline: whatever is restored to the end needs it."""
    backups.archived()
    return stored("-path '*/archive/*' -name '*-*.zst' -not -name '*.partial-*'")[-1]


def test_every_object_is_read_and_the_damaged_ones_are_named() -> None:
    """FAULT 12: a file of a set, the manifest of another one, a log."""
    whole = playbook("playbooks/backup.yml", "-e", "do=verify")
    assert whole.code == 0, whole.output
    # What a manifest that cannot be read names is not looked for.
    victim = stored("-path '*/backup/*' -size +100k -not -name '*.manifest*'")[-1]
    manifest = next(one for one in stored("-name backup.manifest") if Path(one).parent not in Path(victim).parents)
    victims = [victim, manifest, newest_segment()]
    with flipped(*victims):
        ran = playbook("playbooks/backup.yml", "-e", "do=verify")
    assert ran.code != 0, ran.output
    unnamed = [one for one in victims if one.removeprefix(f"{BUCKET}/{STANZA}/") not in ran.folded]
    assert unnamed == [], ran.output


@pytest.mark.long
def test_no_plan_is_made_with_what_is_damaged() -> None:
    """FAULT 12: what would be restored is read before anything stops. Without its log there is no way to the end."""
    before = data.primary(), data.timeline(), data.postmaster(data.primary())
    segment = newest_segment()
    with flipped(segment):
        says = f"cannot be read: {Path(segment).name[:24]} .*Nothing was changed"
        refused("restore_pitr", "-e", "latest=true", "-e", f"confirm={STANZA}", says=says)
    assert (data.primary(), data.timeline(), data.postmaster(data.primary())) == before
    label = backups.sets()[-1]["label"]
    with flipped(*stored(f"-path '*/{label}/backup.manifest'")):
        planned = backups.restore("-e", "latest=true", "--check")
    assert f"set {label} cannot be read" in planned.folded, planned.output


@pytest.mark.long
def test_s3_away_is_loud_and_costs_the_database_nothing() -> None:
    """FAULT 10: the job fails and says so; logs wait on the disk, and are all there once S3 is back."""
    who = data.replica()
    with Ledger("app1", seconds=400, rate=100) as run:
        run.wait_ready()
        with data.stopped("s3", "world1"):
            failed = playbook("playbooks/backup.yml", "-e", "do=now", "-e", "schedule=incremental")
            assert failed.code != 0, failed.output
            told = result(who, "incremental")
            assert not told["ok"], told
            # The runbook of BackupFailed: the message names it.
            assert "world1" in str(told["message"]), told
            data.wait_until("BackupFailed", lambda: watch.raised("BackupFailed", instance=who), 90)
            data.sql(data.primary(), "select pg_switch_wal()")
            run.wait_writing(30)
        outcome = run.result()
    outcome.assert_unnoticed()
    data.wait_until(
        "the archive catches up",
        lambda: "archive has all" in inside(data.primary(), f"runuser -u postgres -- {RUN} flush || true"),
        120,
    )
    again = playbook("playbooks/backup.yml", "-e", "do=now", "-e", "schedule=incremental")
    assert again.code == 0, again.output


@pytest.mark.long
def test_a_backup_that_a_failover_interrupts_ends_and_the_next_one_works() -> None:
    """FAULT 32."""
    who, main = data.replica(), data.primary()
    began = time.time()
    inside(who, "systemctl start --no-block backup@full.service")
    # The bracket, so that it does not find the shell that asks. pgbackrest's server always runs.
    copies = "pgrep -f 'pgbackres[t] .*--type=full' || true"
    data.wait_until("the backup runs", lambda: bool(inside(who, copies).strip()), 30)
    data.kill_host(main)
    try:
        data.wait_until("the other leads", lambda: data.leads(who), 60)
        data.wait_until(
            "the backup has ended",
            lambda: (
                "inactive" in inside(who, "systemctl show -p ActiveState backup@full.service")
                or "failed" in inside(who, "systemctl show -p ActiveState backup@full.service")
            ),
            180,
        )
    finally:
        data.start_host(main)
    told = result(who, "full")
    assert float(str(told["start"])) > began, told
    assert told["ok"] or told["message"], told
    data.wait_healthy(120)
    # The host that came back runs its timers as before.
    test_timers_are_there_and_make_up_for_missed_runs()
    again = playbook("playbooks/backup.yml", "-e", "do=now")
    assert again.code == 0, again.output


@pytest.mark.long
def test_without_the_newest_full_one_an_older_set_restores() -> None:
    """FAULT 13: the plan says which set it takes instead."""
    for _ in range(2):
        assert playbook("playbooks/backup.yml", "-e", "do=now").code == 0
    newest = [one["label"] for one in backups.sets() if one["type"] == "full"][-1]
    inside("world1", f"mv {BUCKET}/*/backup/trading/{newest} /var/tmp/deleted")
    try:
        refused("backup", "-e", "do=verify", says=newest)
        # As the weekly timer does it. Nobody has to read a log to hear of it.
        inside(data.replica(), "systemctl start backup@verify.service || true")
        data.wait_until("BackupVerifyFailed", lambda: watch.raised("BackupVerifyFailed"), 90)
        planned = backups.restore("-e", "latest=true", "--check")
        assert planned.code == 0, planned.output
        assert f"set {newest} cannot be read, so an older one is taken" in planned.folded, planned.output
    finally:
        # The service remembers for minutes what is not there.
        inside("world1", f"mv /var/tmp/deleted {BUCKET}/trading/backup/trading/{newest} && systemctl restart s3")
