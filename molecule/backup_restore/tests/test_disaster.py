"""Both database hosts are gone with their disks: S3, the inventory and the vault bring all back."""

from __future__ import annotations

import backups
import data
import pytest
import releases
from fleet import playbook
from probe import takes_orders


@pytest.mark.long
def test_everything_comes_back_from_bare_hosts() -> None:
    """bench/run restore measures it, with a gigabyte."""
    releases.any_release()
    wrote = backups.wrote()
    backups.archived()
    ran = playbook("playbooks/backup.yml", "-e", "do=now", timeout=900)
    assert ran.code == 0, ran.output
    backups.bare_databases()
    ran = playbook("playbooks/dr_restore.yml", "-e", f"confirm={backups.STANZA}", timeout=1800)
    assert ran.code == 0, ran.output
    data.wait_healthy(180)
    assert wrote.report().lost == 0
    assert takes_orders()
    again = playbook("site.yml", timeout=1800)
    assert again.code == 0, again.output
    assert set(again.changed.values()) == {0}, again.output
