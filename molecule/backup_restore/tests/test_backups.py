"""Backups: taken by whoever's turn it is, loud when they fail, and never at the cost of the database."""

from __future__ import annotations

import json

import backups
import data
import pytest
from backups import BUCKET, PLACE, RUN, STANZA, refused
from fleet import inside, playbook
from probe import Ledger, secret
from releases import folded


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
        for schedule in ("full", "incremental"):
            shown = inside(
                name, f"systemctl show backup-{schedule}.timer -p ActiveState -p UnitFileState -p Persistent"
            )
            assert set(shown.split()) == {"ActiveState=active", "UnitFileState=enabled", "Persistent=yes"}, shown


def test_no_secret_shows() -> None:
    names = ("vault_backup_s3_key_secret", "vault_backup_passphrase")
    for name in data.DATABASES:
        said = inside(
            name,
            "ps axww; systemctl cat 'backup*' pgbackrest-server; journalctl -q -b | tail -n 5000; "
            # Not each host has run each schedule.
            f"cat /etc/pgbackrest/pgbackrest.conf; find {PLACE}/results /var/log/pgbackrest -type f -exec cat {{}} +",
        )
        assert not [one for one in names if secret(one) in said]
        assert inside(name, "stat -c '%a %U %G' /etc/pgbackrest/conf.d/secrets.conf").strip() == "640 root postgres"


def test_every_object_is_read_and_the_damaged_one_is_named() -> None:
    """FAULT 12."""
    whole = playbook("playbooks/backup.yml", "-e", "do=verify")
    assert whole.code == 0, whole.output
    victim = inside(
        "world1", f"find {BUCKET} -path '*/backup/*' -size +100k -not -name '*.manifest*' | sort | tail -n 1"
    ).strip()
    flip = "printf '\\377\\000\\377' | dd of=%s bs=1 seek=5000 conv=notrunc status=none"
    inside("world1", f"cp -p {victim} /var/tmp/kept && {flip % victim}")
    try:
        refused("backup", "-e", "do=verify", says=victim.removeprefix(f"{BUCKET}/{STANZA}/"))
    finally:
        inside("world1", f"mv /var/tmp/kept {victim}")


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
            assert told["message"], told
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
    inside(who, "systemctl start --no-block backup@full.service")
    data.wait_until("the backup runs", lambda: "pgbackrest" in inside(who, "ps ax -o comm"), 30)
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
        planned = backups.restore("-e", "latest=true", "--check")
        assert planned.code == 0, planned.output
        assert f"set {newest} cannot be read, so an older one is taken" in folded(planned.output), planned.output
    finally:
        # The service remembers for minutes what is not there.
        inside("world1", f"mv /var/tmp/deleted {BUCKET}/trading/backup/trading/{newest} && systemctl restart s3")
