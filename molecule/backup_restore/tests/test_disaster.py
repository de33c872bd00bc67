"""Hosts of each kind are gone with their disks: S3, the inventory and the vault bring all back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import backups
import data
import edge
import pytest
import releases
import watch
from backups import STANZA, refused
from cryptography import x509
from fleet import inside, interrupt, playbook
from probe import takes_orders

CONFIRM = ("-e", f"confirm={STANZA}")
# One of each kind beside both database hosts, and with ops1 all of etcd's majority.
LOST = (*data.DATABASES, "app1", "lb1", "ops1")
ELSEWHERE = "/var/tmp/story-data"
GRAFANA = "/var/lib/grafana/grafana.db"


@pytest.fixture
def half_lost() -> Iterator[None]:
    """Nothing at the first member, a copy at the other one, in another place than the real data."""
    inside(data.DATABASES[1], f"mkdir {ELSEWHERE} && touch {ELSEWHERE}/PG_VERSION")
    yield
    inside(data.DATABASES[1], f"rm -r {ELSEWHERE}")


@pytest.mark.parametrize(
    "arguments", [(), (*CONFIRM, "--limit", "db1"), (*CONFIRM, "-e", f"backup_data_directory={ELSEWHERE}")]
)
def test_what_must_not_be_rebuilt_is_refused(half_lost: None, arguments: tuple[str, ...]) -> None:
    before = data.primary(), data.timeline(), [data.postmaster(name) for name in data.DATABASES]
    found = data.DATABASES[1] if any(ELSEWHERE in word for word in arguments) else "no host"
    says = f"-e confirm={STANZA}, without --limit. Data found on: {found};.* Nothing was changed"
    refused("dr_restore", *arguments, says=says)
    assert (data.primary(), data.timeline(), [data.postmaster(name) for name in data.DATABASES]) == before


@pytest.mark.long
def test_data_that_cannot_be_read_is_no_lost_data() -> None:
    """A file where the directory should be: whatever cannot be listed is refused, also with the name typed."""
    for name in data.DATABASES:
        inside(name, f"touch {ELSEWHERE}")
    try:
        refused("dr_restore", *CONFIRM, "-e", f"backup_data_directory={ELSEWHERE}/data", says="Not a directory")
    finally:
        for name in data.DATABASES:
            inside(name, f"rm {ELSEWHERE}")


def certificate(host: str) -> x509.Certificate:
    with edge.secure(host) as line:
        return x509.load_der_x509_certificate(line.getpeercert(binary_form=True) or b"")


def silences() -> list[str]:
    found = watch.ask("/api/v2/silences", 9093)
    return [one["id"] for one in found if one["createdBy"] == "story" and one["status"]["state"] == "active"]


def sqlite(statement: str) -> str:
    program = (
        f"import sqlite3; c = sqlite3.connect('{GRAFANA}'); print(c.execute('{statement}').fetchall()); c.commit()"
    )
    return inside("ops1", f'python3 -c "{program}"')


@contextmanager
def known() -> Iterator[None]:
    """What the hosts' files hold before, and have to hold afterwards: a silence, a table of Grafana's, the rest."""
    matchers = json.dumps({"alertmanager_silence_matchers": ["alertname=Story"]})
    by = ("-e", "alertmanager_silence_by=story", "-e", "alertmanager_silence_reason=story")
    begun = playbook("playbooks/silence.yml", "-e", matchers, *by)
    assert begun.code == 0, begun.output
    # It writes its silences down each quarter of an hour, and when it ends.
    inside("ops1", "systemctl restart prometheus-alertmanager")
    sqlite("create table story (x int)")
    serving, served, silenced = releases.current(), certificate("lb1").serial_number, silences()
    for name in LOST:
        inside(name, "systemctl start files-backup@run")
    yield
    releases.one_set(serving)
    assert certificate("lb1").serial_number == served
    assert silences() == silenced
    assert len(silenced) == 1
    assert sqlite("select count(*) from story").strip() == "[(0,)]"
    sqlite("drop table story")
    ended = playbook("playbooks/silence.yml", "-e", f"alertmanager_silence_end={silenced[0]}")
    assert ended.code == 0, ended.output


def interrupted(task: str) -> None:
    """Ctrl-C while a task works."""
    with releases.arrived_at(task, "dr_restore", confirm=STANZA) as run:
        time.sleep(0.5)
        output = interrupt(run)
    assert run.returncode != 0, output


@pytest.mark.long
def test_everything_comes_back_from_bare_hosts() -> None:
    """bench/run restore measures it, with a gigabyte. The first run is interrupted; the second one goes on."""
    releases.any_release()
    # The journals are on a host that stays; one run is in the backup, one in the logs after it.
    runs = [backups.wrote("app2")]
    ran = playbook("playbooks/backup.yml", "-e", "do=now", timeout=900)
    assert ran.code == 0, ran.output
    runs.append(backups.wrote("app2"))
    backups.archived()
    with known():
        backups.bare(LOST)
        interrupted("Recover to the end")
        began = time.time()
        ran = playbook("playbooks/dr_restore.yml", *CONFIRM, timeout=3000)
        took = time.time() - began
        assert ran.code == 0, ran.output
        data.wait_healthy(180)
        last = ran.folded.partition("Proof, the front door")[2]
        for name in edge.HOSTS:
            one = certificate(name)
            assert f"{name}: https://{edge.DOMAIN}/ answers 200, by release {releases.current()}" in last, ran.output
            assert f"{name}: a certificate for {edge.DOMAIN} by" in last, ran.output
            assert f"until {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC" in last, ran.output
        assert "check: no problem in the ledger: as it should be" in last, ran.output
    told = backups.told(ran)
    assert told.rows > 0
    assert 0 < told.rto < took
    assert told.rpo < began + took - told.last.timestamp()
    assert [run.report().lost for run in runs] == [0, 0]
    assert takes_orders()
    again = playbook("site.yml", timeout=1800)
    assert again.code == 0, again.output
    assert set(again.changed.values()) == {0}, again.output
