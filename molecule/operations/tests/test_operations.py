"""What an operator does to the database by day: each under load where clients must not notice, each to its end."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import data
import fleet
import pytest
from fleet import inside, playbook
from probe import Ledger, Result, prepare

# Needs a restart, and means nothing to anybody.
SETTING, VALUE = "track_activity_query_size", "2048"


@pytest.fixture(scope="module", autouse=True)
def on_the_preferred_primary() -> Iterator[None]:
    data.wait_healthy()
    prepare()
    assert playbook("playbooks/failback.yml").code == 0
    assert data.primary() == "db1"
    yield
    configure("null")
    data.wait_until("both wait for a restart", lambda: all(pending().values()), 30)
    assert playbook("playbooks/rolling_restart.yml").code == 0
    data.wait_healthy()


def configure(value: str) -> None:
    inside("db1", f"{data.PATRONICTL} edit-config --force -s postgresql.parameters.{SETTING}={value}")


def pending() -> dict[str, bool]:
    return {name: bool(one.get("Pending restart")) for name, one in data.members().items()}


def started(name: str) -> float:
    return float(data.sql(name, "select extract(epoch from pg_postmaster_start_time())"))


def leaderless(name: str) -> bool:
    """Its server runs, and Patroni leaves the office empty."""
    found = data.members()
    return found.get(name, {}).get("State") in ("running", "streaming") and all(
        one["Role"] != "Leader" for one in found.values()
    )


def folded(ran: fleet.Ran) -> str:
    return re.sub(r"\s+", " ", ran.output)


def unnoticed(result: Result) -> None:
    result.assert_unnoticed()


def test_a_failover_where_nobody_may_take_over_by_himself() -> None:
    """The primary dies after its replica was away: only a person may decide that the copy is good enough."""
    lost, other = data.primary(), data.replica()
    with data.stopped("patroni", other):
        data.wait_until("the primary goes on alone", lambda: "Standby" not in str(data.members().values()), 60)
        data.kill_host(lost)
    try:
        data.wait_until("a replica without a primary", lambda: leaderless(other), 60)
        refused = playbook("playbooks/failover.yml")
        ran = playbook("playbooks/failover.yml", "-e", "allow_data_loss=true")
    finally:
        data.start_host(lost)
    assert refused.code != 0
    assert "is not the synchronous standby" in folded(refused), refused.output
    assert ran.code == 0, ran.output
    assert re.search(rf"measured: {other} writable [0-9.]+ s after the request", folded(ran)), ran.output
    data.wait_healthy()
    assert data.primary() == other


def test_a_failback_goes_to_the_preferred_primary() -> None:
    assert data.primary() == "db2", "the failover's"
    with Ledger("app1", seconds=90) as run:
        run.wait_ready()
        ran = playbook("playbooks/failback.yml")
        result = run.result()
    assert ran.code == 0, ran.output
    unnoticed(result)
    assert data.primary() == "db1"
    data.wait_healthy()


def test_a_setting_that_needs_a_restart_is_told_and_restarts_nobody() -> None:
    before = {name: started(name) for name in data.DATABASES}
    asked = json.dumps({"postgres_settings": {SETTING: VALUE}})
    try:
        ran = playbook("site.yml", "--tags", "postgres", "-e", asked)
        assert ran.code == 0, ran.output
        assert "a restart is pending on db1, db2" in folded(ran), ran.output
        assert all(pending().values())
    finally:
        back = playbook("site.yml", "--tags", "postgres")
    assert back.code == 0, back.output
    assert "a restart is pending" not in folded(back), back.output
    assert {name: started(name) for name in data.DATABASES} == before


def test_a_rolling_restart_takes_the_replica_first_and_the_primary_by_a_switchover() -> None:
    before = {name: started(name) for name in data.DATABASES}
    configure(VALUE)
    data.wait_until("both wait for a restart", lambda: all(pending().values()), 30)
    with Ledger("app1", seconds=120) as run:
        run.wait_ready()
        ran = playbook("playbooks/rolling_restart.yml")
        result = run.result()
    assert ran.code == 0, ran.output
    unnoticed(result)
    data.wait_healthy()
    assert data.primary() == "db2"
    assert not any(pending().values())
    assert before["db2"] < started("db2") < started("db1"), "the replica comes first"
    assert {data.sql(name, f"show {SETTING}") for name in data.DATABASES} == {"2kB"}


def test_again_restarts_nobody() -> None:
    before = {name: started(name) for name in data.DATABASES}
    ran = playbook("playbooks/rolling_restart.yml")
    assert ran.code == 0, ran.output
    assert set(ran.changed.values()) == {0}, ran.output
    assert {name: started(name) for name in data.DATABASES} == before


def test_retiring_needs_the_hosts_name_typed() -> None:
    replica = data.replica()
    for typed in ([], ["-e", f"confirm={replica}x"]):
        ran = playbook("playbooks/retire_database.yml", "-e", f"member={replica}", *typed)
        assert ran.code != 0
        assert "Nothing was touched" in folded(ran), ran.output
    assert data.is_healthy()


def test_a_retired_host_keeps_its_data_and_comes_back_by_site() -> None:
    gone, stays = data.replica(), data.primary()
    disk = data.sql(gone, "show data_directory")
    left = json.dumps({"postgres_members": [stays], "member": gone, "confirm": gone})
    with Ledger("app1", seconds=180, rate=100) as run:
        run.wait_ready()
        ran = playbook("playbooks/retire_database.yml", "-e", left)
        assert ran.code == 0, ran.output
        assert inside(gone, "systemctl is-active patroni; systemctl is-enabled patroni; true").split() == [
            "inactive",
            "disabled",
        ]
        assert inside(gone, f"cat {disk}/PG_VERSION").strip()
        run.wait_writing()
        back = playbook("site.yml", "--tags", "postgres")
        assert back.code == 0, back.output
        data.wait_healthy()
        unnoticed(run.result())
    assert data.primary() == stays


def test_ctrl_c_of_a_switchover_lets_the_clients_on() -> None:
    with Ledger("app1", seconds=120) as run:
        run.wait_ready()
        process = fleet.start("ansible-playbook", "playbooks/switchover.yml", "-i", fleet.INVENTORY)
        assert process.stdout is not None
        assert any("Do it, and wait for the outcome" in line for line in process.stdout), "it never began"
        time.sleep(1)
        said = fleet.interrupt(process)
        run.wait_writing(30)
        result = run.result()
    assert process.returncode != 0, f"it ended before the signal: {said}"
    result.assert_sound()
    data.wait_healthy()
