"""A warm second site: built from the archive, measured, taken over to when the first one is gone, and left again.

The story starts dr1 and removes it. What each move loses is what its report names, and nothing else.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime

import backups
import data
import pytest
from fleet import ROOT, Ran, container, docker, folded, inside, playbook
from probe import Ledger, prepare

SECOND = ROOT / "molecule/dr_site/inventory"
PROGRAM = "/usr/local/lib/trading-platform/dr_site.py"
CONFIRM = ("-e", f"confirm={backups.STANZA}")
GONE = ("-e", "old_site_is_gone=true")
# The journal's clock and the database's are this machine's; a commit's moment is a little before its acknowledgement.
CLOCKS = 1.0
# Transactions of PostgreSQL itself, as it vacuums, that may be among what the second site never got.
OWN = 50


def dr(name: str, *arguments: str, timeout: int = 1800) -> Ran:
    return playbook(name, "-i", str(SECOND), *arguments, timeout=timeout)


def second(statement: str, database: str = "postgres") -> str:
    return data.sql("dr1", statement, database)


def look(host: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(inside(host, f"{PROGRAM} look"))
    return found


def use(site: str) -> None:
    """The applications' way to a site."""
    ran = dr("site.yml", "--tags", "dbproxy", "--limit", "app", "-e", f"active_site={site}")
    assert ran.code == 0, ran.output


def caught_up() -> bool:
    return str(look("dr1")["state"]) == "standby" and look("dr1")["behind_bytes"] == 0


def refused(*arguments: str, says: str) -> None:
    ran = dr(*arguments)
    assert ran.code != 0, ran.output
    assert says in ran.folded, ran.output
    assert "Nothing was changed" in ran.folded, ran.output


@pytest.fixture(scope="module", autouse=True)
def second_site() -> Iterator[None]:
    prepare()
    backups.wait_first()
    up = dr("playbooks/fleet/up.yml")
    assert up.code == 0, up.output
    try:
        yield
    finally:
        docker("rm", "--force", "--volumes", container("dr1"))
        # The first site forgets: dr1's openings, the fence, the reading of what is gone.
        for name in data.DATABASES:
            docker("exec", container(name), "sh", "-c", FORGET)
        playbook("playbooks/fleet/up.yml")
        # Its repository too: who comes next finds no note of a site that is gone.
        inside("world1", f"rm -rf {backups.BUCKET}-dr {backups.BUCKET}/trading-dr")
        again = playbook("site.yml", timeout=1800)
    assert again.code == 0, again.output
    data.wait_healthy(180)


FORGET = (
    "systemctl disable --now dr-fence.timer; rm -rf /etc/systemd/system/dr-fence.* /var/lib/trading-platform/dr"
    " /var/lib/trading-platform/config_tree/dr.json"
    " /etc/systemd/system/patroni.service.d/20-dr.conf /etc/pgbackrest/dr.conf /var/lib/postgresql/*/trading.before-*;"
    " systemctl daemon-reload; systemctl start patroni"
)


def test_it_is_built_from_the_repository_and_once_more_changes_nothing() -> None:
    ran = dr("playbooks/dr_setup.yml")
    assert ran.code == 0, ran.output
    told = look("dr1")
    assert (told["state"], told["behind_bytes"]) == ("standby", 0), told
    again = dr("playbooks/dr_setup.yml")
    assert again.code == 0, again.output
    assert set(again.changed.values()) == {0}, again.output
    # A standby takes no backups, and archives nothing.
    taken = inside("dr1", "runuser -u postgres -- /usr/local/lib/trading-platform/backup_run.py run full")
    assert "the other site's turn" in taken
    assert docker("exec", container("world1"), "test", "-e", f"{backups.BUCKET}/trading-dr/archive").code != 0


def test_it_follows_a_running_ledger_and_says_how_far_it_is_behind() -> None:
    before = data.primary(), data.timeline(), data.postmaster(data.primary())
    run_ = backups.wrote()
    backups.archived()
    data.wait_until("the second site has replayed it", caught_up, 90)
    ran = dr("playbooks/dr_test.yml")
    assert ran.code == 0, ran.output
    assert re.search(r"behind the first site's primary: \d+ bytes, at most [\d.]+ s", ran.folded), ran.output
    counts = [
        data.sql(name, "select count(*), sum(amount) from ledger.entries", "trading") for name in (before[0], "dr1")
    ]
    assert counts[0] == counts[1]
    run_.report().assert_sound()
    assert (data.primary(), data.timeline(), data.postmaster(data.primary())) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["playbooks/dr_failover.yml"], "still takes writes"),
        (["playbooks/dr_failover.yml", *CONFIRM], "still takes writes"),
        # What answers is not dead, whatever somebody says.
        (["playbooks/dr_failover.yml", *CONFIRM, *GONE], "still takes writes"),
        # Nor does one ask only who does not write.
        (["playbooks/dr_failover.yml", *CONFIRM, *GONE, "--limit", "dr1"], "without --limit"),
        (["playbooks/dr_failback.yml", *CONFIRM, "--limit", "db"], "without --limit"),
        (["playbooks/dr_setup.yml", "--limit", "dr1"], "without --limit"),
        (["playbooks/dr_test.yml", "--limit", "dr1"], "without --limit"),
    ],
)
def test_what_must_not_be_is_refused(arguments: list[str], says: str) -> None:
    refused(*arguments, says=says)
    assert look("dr1")["state"] == "standby"


def test_where_production_is_where_it_belongs_a_failback_has_nothing_to_do() -> None:
    ran = dr("playbooks/dr_failback.yml")
    assert ran.code == 0, ran.output
    assert "no site has changed its role" in ran.folded, ran.output
    assert set(ran.changed.values()) == {0}, ran.output


def named(output: str) -> datetime:
    found = re.search(r"the last transaction that is there is of (\S+)", folded(output))
    assert found, output
    return datetime.fromisoformat(found[1])


@pytest.fixture(scope="module")
def disaster() -> tuple[Ledger, Ran]:
    """The first site's database hosts lose their power while money moves; the second site takes over."""
    with Ledger("app1", seconds=90, rate=100) as running:
        running.wait_ready()
        running.wait_writing()
        for name in data.DATABASES:
            data.kill_host(name)
    # With whom to compare what was acknowledged, there is nobody until the second site writes.
    refused("playbooks/dr_failover.yml", *CONFIRM, says="not the same as dead")
    refused("playbooks/dr_failover.yml", *GONE, says="type the name of its cluster")
    checked = dr("playbooks/dr_failover.yml", *CONFIRM, *GONE, "--check")
    assert checked.code == 0, checked.output
    assert look("dr1")["state"] == "standby"
    ran = dr("playbooks/dr_failover.yml", *CONFIRM, *GONE)
    assert ran.code == 0, ran.output
    return running, ran


def test_the_second_site_takes_over_and_names_what_is_missing(disaster: tuple[Ledger, Ran]) -> None:
    running, ran = disaster
    assert look("dr1")["state"] == "primary"
    assert re.search(r"rto [\d.]+ s", ran.output), ran.output
    use("dr")
    told = running.report()
    assert told.figures["doubled"] == 0, told.figures
    # Acknowledged before the moment that the report names, and not there: nothing.
    # The probe counts from this machine's start.
    began = time.time() - time.monotonic()
    told_until = named(ran.output).timestamp() - CLOCKS
    assert told.lost_first_at is None or began + told.lost_first_at > told_until, told.figures
    # Money that moved here moves whole.
    assert second("select count(*) from ledger.problems", "trading") == "0"
    backups.wrote().report().assert_sound()
    again = dr("playbooks/dr_failover.yml", *CONFIRM, *GONE)
    assert again.code == 0, again.output
    assert "no site has changed its role" in again.folded, again.output


def test_the_first_site_comes_back_and_does_not_write(disaster: tuple[Ledger, Ran]) -> None:
    for name in data.DATABASES:
        data.start_host(name)
    for name in data.DATABASES:
        data.wait_until(
            f"{name} says why it does not start",
            lambda name=name: "has taken over" in inside(name, "journalctl -u patroni -b --no-pager"),  # type: ignore[misc]
            60,
        )
        assert look(name)["state"] == "down"


def test_production_goes_back_and_nothing_is_lost_on_the_way(disaster: tuple[Ledger, Ran]) -> None:
    data.wait_until(
        "the second site's first backup",
        lambda: bool(json.loads(backups.pgbackrest("dr1", "--output=json", "info"))[0]["backup"]),
        300,
    )
    refused("playbooks/dr_failback.yml", says="type the name of its cluster")
    assert look("dr1")["state"] == "primary"
    lost = disaster[0].report()
    followed = dr("playbooks/dr_failback.yml", *CONFIRM, "-e", "only_follow=true")
    assert followed.code == 0, followed.output
    # Of each old host. What was acknowledged and is not here is among it, with what was under way and PostgreSQL's own.
    counts = re.findall(
        r"(\d+) transactions were committed here after \S+ and never reached the other", followed.folded
    )
    assert len(counts) == len(data.DATABASES), followed.output
    most = max(map(int, counts))
    assert lost.lost <= most <= lost.lost + lost.unknown + OWN, (counts, lost.figures)
    assert "standby" in {look(name)["state"] for name in data.DATABASES}
    # Money moves at the second site until it stops.
    kept = backups.wrote()
    ran = dr("playbooks/dr_failback.yml", *CONFIRM)
    assert ran.code == 0, ran.output
    assert "no transaction was lost on the way" in ran.folded, ran.output
    use("db")
    data.wait_healthy(180)
    kept.report().assert_sound()
    backups.wrote().report().assert_sound()
    assert look("dr1")["state"] == "standby"
    backups.archived()
    data.wait_until("the second site follows again", caught_up, 90)
    for name in data.DATABASES:
        assert "PG_VERSION" in inside(name, "ls /var/lib/postgresql/*/trading.before-*")
    done = dr("playbooks/dr_failback.yml", *CONFIRM)
    assert done.code == 0, done.output
    assert "no site has changed its role" in done.folded, done.output


def test_no_secret_shows() -> None:
    for name in (*data.DATABASES, "dr1"):
        said = inside(name, "ps axww; systemctl cat 'dr*' patroni; journalctl -q -b | tail -n 20000")
        found = backups.secrets_in(said) + backups.readable_secrets(name)
        assert found == [], name
        shown = inside(name, "stat -c '%a %U %G' /etc/pgbackrest/dr.conf").strip()
        assert shown == "640 root postgres"
