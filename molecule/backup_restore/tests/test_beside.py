"""What comes back beside production: the drill, one table of a moment, single files."""

from __future__ import annotations

import json
from pathlib import Path

import backups
import data
import pytest
from edge import DOMAIN
from fleet import inside, playbook
from probe import Ledger

REPORTS = "/var/lib/trading-platform/backup/drills"


def test_a_drill_restores_compares_and_measures_beside_a_running_ledger(tmp_path: Path) -> None:
    """FAULT 15."""
    where = data.primary(), data.timeline(), data.postmaster(data.primary())
    with Ledger("app1", seconds=300, rate=100) as run:
        run.wait_ready()
        ran = playbook("playbooks/dr_drill.yml", "-e", f"reports={tmp_path}")
        assert ran.code == 0, ran.output
        outcome = run.result()
    outcome.assert_unnoticed()
    assert (data.primary(), data.timeline(), data.postmaster(data.primary())) == where
    (path,) = tmp_path.glob("*.json")
    told = json.loads(path.read_text())
    assert told["ok"], told["verdict"]
    assert 0 < told["rto_seconds"] < 900, told
    assert 0 <= told["rpo_seconds"] < 300, told
    assert any(one["restored"] > 0 for one in told["rows"]), told["rows"]
    page = path.with_suffix(".html").read_text()
    assert "<html" in page[:200]
    secrets = backups.secrets_in(path.read_text() + page + ran.output)
    assert secrets == []
    who = data.replica()
    assert "trading_drill_ok 1" in inside(who, "cat /var/lib/prometheus/node-exporter/trading_drill.prom")
    assert not inside(who, "find /var/lib/postgresql/*/trading.scratch -mindepth 1 -maxdepth 1 -type d")


@pytest.mark.long
def test_a_table_of_a_moment_comes_back_beside_the_present_one() -> None:
    main = data.primary()
    data.sql(
        main, "create table kept (id int primary key); insert into kept select generate_series(1, 1000)", "trading"
    )
    at = backups.moment()
    data.sql(main, "delete from kept where id > 10", "trading")
    backups.archived()
    asked = ["-e", "database=trading", "-e", "table=public.kept", "-e", "into=before", "-e", f"to_time='{at}'"]
    try:
        ran = playbook("playbooks/restore_table.yml", *asked)
        assert ran.code == 0, ran.output
        assert data.sql(main, "select count(*) from before.kept", "trading") == "1000"
        assert data.sql(main, "select count(*) from public.kept", "trading") == "10"
        # Never over what is there.
        again = playbook("playbooks/restore_table.yml", *asked)
        assert again.code != 0, again.output
        assert "before" in again.output, again.output
    finally:
        data.sql(main, "drop table public.kept; drop schema if exists before cascade", "trading")


@pytest.mark.parametrize(
    "path", ["/etc/letsencrypt", pytest.param(f"/etc/letsencrypt/renewal/{DOMAIN}.conf", marks=pytest.mark.long)]
)
def test_files_come_back_into_a_new_directory(path: str) -> None:
    """All of a directory, or one file and nothing else."""
    place = "/var/tmp/story-restored"
    there = "cd {} && find .{} -type f | sort | xargs sha256sum"
    inside("lb1", "systemctl start files-backup@run")
    ran = playbook("playbooks/restore_files.yml", "-e", "host=lb1", "-e", f"path={path}", "-e", f"into={place}")
    try:
        assert ran.code == 0, ran.output
        restored = inside("lb1", there.format(place, ""))
        assert restored
        assert restored == inside("lb1", there.format("/", path))
    finally:
        inside("lb1", f"rm -rf {place}")


def test_a_path_that_no_copy_has_is_refused() -> None:
    never = playbook("playbooks/restore_files.yml", "-e", "host=lb1", "-e", "path=/etc/never")
    assert never.code != 0, never.output
    assert "/etc/letsencrypt" in never.folded, never.output
