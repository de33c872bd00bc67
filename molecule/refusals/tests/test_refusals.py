"""Bad input and bad moments for the database: each is refused with a reason, and nothing has moved."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import data
import fleet
import pytest
from fleet import inside, playbook
from probe import assert_clients_pass, through_dbproxy

# A directory on db1 that a changed inventory could name.
FOREIGN = "/srv/foreign"
INITDB = f"install -d -o postgres {FOREIGN}; runuser -u postgres -- /usr/lib/postgresql/15/bin/initdb -D {FOREIGN}"


@pytest.fixture(autouse=True)
def nothing_moves() -> Iterator[None]:
    data.wait_healthy()
    primary, timeline = data.primary(), data.timeline()
    yield
    assert_clients_pass()
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
    assert says in ran.folded, ran.output
    assert fleet.file_state(main) ^ before == set()


def test_a_host_taken_out_is_named_and_left_alone() -> None:
    """Allowed, because one host is a database too; what it costs is said."""
    ran = fleet.site("--check", "--tags", "postgres", "--limit", "db1", "-e", json.dumps({"postgres_members": ["db1"]}))
    assert ran.code == 0, ran.output
    assert "still has db2" in ran.folded
    assert "playbooks/retire_database.yml" in ran.folded
    assert "db1 is the only database host" in ran.folded


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (f"mkdir {FOREIGN}; echo precious >{FOREIGN}/letter", "is not empty and holds no PostgreSQL cluster"),
        (INITDB, r"holds another cluster \(system identifier \d+\) than the one that db\d runs as trading"),
    ],
)
def test_a_directory_of_somebody_else_is_left_alone(made: str, says: str) -> None:
    look = f"find {FOREIGN} -type f -exec sha256sum {{}} + | sort"
    try:
        inside("db1", made)
        before = inside("db1", look)
        ran = fleet.site("--tags", "postgres", "-e", f"postgres_data_directory={FOREIGN}")
        assert ran.code != 0
        assert re.search(f"{FOREIGN} {says}", ran.folded), ran.output
        assert inside("db1", look) == before
    finally:
        inside("db1", f"rm -rf {FOREIGN}")


def test_a_switchover_of_a_paused_cluster() -> None:
    inside("db1", f"{data.PATRONICTL} pause --wait")
    try:
        ran = playbook("playbooks/switchover.yml")
    finally:
        inside("db1", f"{data.PATRONICTL} resume --wait")
    assert ran.code != 0
    assert "refused, nothing was touched: automatic failover is paused. End the pause first" in ran.folded, ran.output


def test_a_switchover_without_a_candidate() -> None:
    gone = data.replica()
    with data.stopped("patroni", gone):
        ran = playbook("playbooks/switchover.yml")
    assert ran.code != 0
    # Patroni lists it until its lease has run out.
    says = f"{gone} should be in the cluster trading and Patroni does not list it|Patroni on {gone} does not answer"
    assert re.search(f"nothing was touched: .*({says})", ran.folded), ran.output


def test_a_switchover_that_a_transaction_holds_up_lets_the_clients_on() -> None:
    """The clients behind it must not wait for ever: pgbouncer lets them on, and what held it up is told."""
    those = "from pg_stat_activity where query ~ '^begin; sel'"
    with ThreadPoolExecutor(1) as holder:
        holder.submit(through_dbproxy, "begin; select pg_sleep(40); commit", seconds=60)
        try:
            asked = f"select count(*) {those}"
            data.wait_until("the transaction runs", lambda: data.sql(data.primary(), asked) == "1", 30)
            ran = playbook("playbooks/switchover.yml")
            after = through_dbproxy("select 1", seconds=5)
        finally:
            data.sql(data.primary(), f"select pg_terminate_backend(pid) {those}")
    assert ran.code != 0
    assert "PAUSE did not finish within 2 s" in ran.folded, ran.output
    assert after.output.strip() == "1", after


def test_a_failover_where_a_healthy_leader_exists() -> None:
    ran = playbook("playbooks/failover.yml")
    assert ran.code != 0
    assert "is a healthy leader: use playbooks/switchover.yml" in ran.folded, ran.output


def test_a_reinit_without_the_name_typed_twice() -> None:
    ran = playbook("playbooks/reinit_replica.yml", "-e", f"member={data.replica()}")
    assert ran.code != 0
    assert "Nothing was touched" in ran.folded, ran.output
