"""Bad input and bad moments for the database: each is refused with a reason, and nothing has moved."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator

import data
import fleet
import pytest
from fleet import inside, playbook
from probe import secret


def folded(output: str) -> str:
    return re.sub(r"\s+", " ", output)


@pytest.fixture(autouse=True)
def nothing_moves() -> Iterator[None]:
    data.wait_healthy()
    primary, timeline = data.primary(), data.timeline()
    yield
    data.wait_healthy()
    assert (data.primary(), data.timeline()) == (primary, timeline)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"postgres_settings": {"shared_bufers": "1GB"}}, "shared_buffers"),
        ({"postgres_data_directory": "/srv/elsewhere"}, "this member's data lies in"),
        pytest.param({"postgres_version": 17}, "A run does not change the major version", marks=pytest.mark.long),
        pytest.param({"postgres_settings": {"listen_addresses": "*"}}, "listen_addresses", marks=pytest.mark.long),
        pytest.param({"postgres_cluster": "other"}, "a cluster that has data keeps its name", marks=pytest.mark.long),
    ],
)
def test_site_yml_refuses_before_anything_has_changed(variables: dict[str, object], says: str) -> None:
    main = data.primary()
    before = fleet.file_state(main)
    ran = fleet.site("--tags", "postgres", "-e", json.dumps(variables))
    assert ran.code != 0, ran.output
    assert says in folded(ran.output), ran.output
    assert fleet.file_state(main) ^ before == set()


def test_a_host_taken_out_is_named_and_left_alone() -> None:
    """Allowed, because one host is a database too; what it costs is said."""
    ran = fleet.site("--check", "--tags", "postgres", "--limit", "db1", "-e", json.dumps({"postgres_members": ["db1"]}))
    assert ran.code == 0, ran.output
    said = folded(ran.output)
    assert "still has db2" in said
    assert "playbooks/retire_database.yml" in said
    assert "db1 is the only database host" in said


def test_a_directory_of_somebody_else_is_left_alone() -> None:
    inside("world1", "mkdir -p /srv/foreign; echo precious >/srv/foreign/letter")
    asked = {
        "scope": "trading",
        "directory": "/srv/foreign",
        "version": 15,
        "members": {"world1": fleet.address("world1")},
        "port": 5432,
        "api_port": 8008,
    }
    module = ("-m", "trading.platform.postgres_guard", "-a", json.dumps(asked))
    try:
        ran = fleet.run("ansible", "world1", "-i", fleet.INVENTORY, "-b", *module)
        assert ran.code != 0
        assert "/srv/foreign is not empty and holds no PostgreSQL cluster" in folded(ran.output), ran.output
        assert inside("world1", "cat /srv/foreign/letter") == "precious\n"
    finally:
        inside("world1", "rm -r /srv/foreign")


def test_a_switchover_of_a_paused_cluster() -> None:
    inside("db1", f"{data.PATRONICTL} pause --wait")
    try:
        ran = playbook("playbooks/switchover.yml")
    finally:
        inside("db1", f"{data.PATRONICTL} resume --wait")
    assert ran.code != 0
    assert "paused" in ran.output, ran.output


def test_a_switchover_without_a_candidate() -> None:
    with data.stopped("patroni", data.replica()):
        ran = playbook("playbooks/switchover.yml")
    assert ran.code != 0
    assert re.search("missing|not running|no healthy|does not answer|cannot", ran.output), ran.output


def test_a_switchover_that_a_transaction_holds_up_lets_the_clients_on() -> None:
    """The clients behind it must not wait for ever: pgbouncer lets them on, and what held it up is told."""
    target = "host=127.0.0.1 port=6432 dbname=trading user=trading_app sslmode=disable"
    words = ["docker", "exec", "--env=PGPASSWORD", fleet.container("app1"), "psql", "-XAtq", target, "-c"]
    environment = {**os.environ, "PGPASSWORD": secret("vault_postgres_app_password")}
    with subprocess.Popen([*words, "begin; select pg_sleep(40); commit"], env=environment) as holding:
        try:
            data.wait_until(
                "the transaction runs",
                lambda: (
                    data.sql(data.primary(), "select count(*) from pg_stat_activity where query ~ '^begin; sel'") == "1"
                ),
                30,
            )
            ran = playbook("playbooks/switchover.yml")
            after = subprocess.run(
                [*words, "select 1"], env=environment, capture_output=True, text=True, timeout=5, check=False
            )
        finally:
            data.sql(
                data.primary(), "select pg_terminate_backend(pid) from pg_stat_activity where query ~ '^begin; sel'"
            )
            holding.wait(30)
    assert ran.code != 0
    assert "transaction" in ran.output, ran.output
    assert after.stdout.strip() == "1", after.stderr


def test_a_failover_where_a_healthy_leader_exists() -> None:
    ran = playbook("playbooks/failover.yml")
    assert ran.code != 0
    assert "switchover" in ran.output, ran.output


def test_a_reinit_without_the_name_typed_twice() -> None:
    ran = playbook("playbooks/reinit_replica.yml", "-e", f"member={data.replica()}")
    assert ran.code != 0
    assert "Nothing was touched" in folded(ran.output), ran.output
