"""What an operator does to the database by day: each under load where clients must not notice, each to its end."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import data
import fleet
import pytest
import watch
from fleet import inside, playbook
from probe import Ledger, Result, assert_clients_pass, prepare, through_dbproxy

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
    assert "is not the synchronous standby" in refused.folded, refused.output
    assert ran.code == 0, ran.output
    assert re.search(rf"measured: {other} writable [0-9.]+ s after the request", ran.folded), ran.output
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
    # The dashboards' line of a failover, asked for as Grafana does: once a minute.
    marks = next(one["expr"] for one in watch.queries() if one["panel"] == "failovers")
    watch.wait_for("its mark", lambda: watch.query(f"max_over_time(({marks})[3m:15s])"), 60)


def test_a_setting_that_needs_a_restart_is_told_and_restarts_nobody() -> None:
    before = {name: started(name) for name in data.DATABASES}

    def told(*more: str) -> bool:
        ran = playbook("site.yml", "--tags", "postgres", *more)
        assert ran.code == 0, ran.output
        return "a restart is pending on db1, db2" in ran.folded

    def asked(value: str) -> tuple[str, str]:
        return "-e", json.dumps({"postgres_settings": {SETTING: value}})

    try:
        assert told(*asked(VALUE))
        assert all(pending().values())
        # What runs, by name: of a setting that only leaves its file PostgreSQL goes on saying that it needs a restart.
        assert not told(*asked("1024"))
    finally:
        assert not told()
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
        assert "Nothing was touched" in ran.folded, ran.output
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
        alone = playbook("site.yml", "--tags", "postgres", "--limit", stays, "-e", left)
        assert alone.code == 0, alone.output
        assert f"{stays} is the only database host" in alone.folded, alone.output
        back = playbook("site.yml", "--tags", "postgres")
        assert back.code == 0, back.output
        data.wait_healthy()
        unnoticed(run.result())
    assert data.primary() == stays


def test_the_strict_policy_waits_for_a_replica() -> None:
    ran = playbook("site.yml", "--tags", "postgres", "-e", "postgres_sync_policy=strict")
    assert ran.code == 0, ran.output
    gone = data.replica()
    try:
        with Ledger("app1", seconds=180, rate=100) as run:
            run.wait_ready()
            inside(gone, "systemctl stop patroni")
            # Longer than the other policy goes on waiting.
            time.sleep(25)
            seen = run.pulses[-1]
            assert seen["t"] - seen["last_ack"] > 15, seen
            inside(gone, "systemctl start patroni")
            run.wait_writing()
            run.result().assert_sound()
    finally:
        inside(gone, "systemctl start patroni")
        back = playbook("site.yml", "--tags", "postgres")
    assert back.code == 0, back.output
    data.wait_healthy()


def test_a_check_of_a_switchover_says_what_it_would_do() -> None:
    before = data.primary(), data.replica(), data.timeline()
    ran = playbook("playbooks/switchover.yml", "--check")
    assert ran.code == 0, ran.output
    assert f"plan: switch from {before[0]} to {before[1]}" in ran.folded, ran.output
    assert (data.primary(), data.replica(), data.timeline()) == before


def test_the_automatic_failover_is_paused_and_resumed_once() -> None:
    """By the module alone, as somebody does in an emergency."""
    asked = {
        "scope": "trading",
        "members": {name: fleet.address(name) for name in data.DATABASES},
        "password": "{{ postgres_api_password }}",
    }

    def ask(state: str) -> fleet.Ran:
        module = ("-m", "trading.platform.patroni_cluster", "-a", json.dumps({**asked, "state": state}))
        return fleet.run("ansible", "db1", "-i", fleet.INVENTORY, "-b", *module)

    try:
        for state, word, maintenance in (("pause", "paused", True), ("resume", "on", False)):
            first, again = ask(state), ask(state)
            assert f"automatic failover is {word} on every member" in first.folded, first.output
            assert f"nothing to do: automatic failover is {word} already" in again.folded, again.output
            assert ("Maintenance mode: on" in inside("db1", f"{data.PATRONICTL} list")) == maintenance
    finally:
        ask("resume")


def test_readers_are_sent_to_the_replica() -> None:
    data.wait_healthy()
    assert through_dbproxy("select pg_is_in_recovery()", "trading_ro").output.strip() == "t"


def test_the_proxies_hold_queries_back_and_let_them_on() -> None:
    try:
        paused = playbook("playbooks/dbproxy_pause.yml")
        held = [through_dbproxy("select 1", host=name, seconds=2) for name in ("app1", "app2")]
    finally:
        resumed = playbook("playbooks/dbproxy_resume.yml")
    assert paused.code == 0, paused.output
    assert [ran.code for ran in held] == [124, 124], held
    assert resumed.code == 0, resumed.output
    assert_clients_pass()


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
