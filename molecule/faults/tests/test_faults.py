"""FAULTS 2 to 8: what must hold while the cluster is broken, and that it is whole again afterwards."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import data
import fleet
import pytest
from fleet import docker
from probe import Ledger, Writable, assert_clients_pass, compare, prepare

# The fast preset (roles/postgres) on Debian 12.
TTL = 13
# Commits a second: enough to see each gap. bench/run failover has as many as the machine can do.
RATE = 150


@pytest.fixture(scope="module", autouse=True)
def schema() -> None:
    prepare()


@pytest.fixture(autouse=True)
def leaves_it_healthy() -> Iterator[None]:
    data.wait_healthy()
    yield
    data.wait_healthy(180)


def beyond(name: str) -> list[str]:
    """Everybody that a database host needs to stay primary: the other members of etcd and of the cluster."""
    return [other for other in ("db1", "db2", "ops1") if other != name]


def never_both(seen: dict[str, Any]) -> None:
    """One single write in the other's time has no length, and is one too many."""
    assert (seen["overlap_s"], seen["interleaved"]) == (0, 0), seen


def test_2_a_partition_never_makes_two_primaries() -> None:
    """The isolated primary still hears its clients: the worst of all partitions."""
    isolated, other = data.primary(), data.replica()
    with (
        Writable("app1", isolated) as old,
        Writable("app2", other) as new,
        Ledger("app1", seconds=150, rate=RATE) as run,
    ):
        run.wait_ready()
        with data.cut_off(isolated, beyond(isolated)) as at:
            run.wait_writing(60)
            time.sleep(max(0, at + 2 * TTL - time.monotonic()))
            data.wait_until("the isolated one is demoted", lambda: data.is_demoted(isolated), TTL)
        data.wait_healthy(120)
        seen = compare([old, new], injected=at)
        result = run.result()
    never_both(seen)
    assert seen["nodes"][isolated]["last_ack_s"] <= TTL, seen
    result.assert_sound()
    assert data.primary() == other


@pytest.mark.long
@pytest.mark.parametrize("how", ["patroni", "host"])
def test_3_a_frozen_agent_is_fenced_by_the_synchronous_commit(how: str) -> None:
    """Its lease runs out while PostgreSQL still takes writes; but nobody confirms them, so none is acknowledged.

    When it wakes it has lost: Patroni 3.0.2 took the lease back, and seconds of acknowledged rows were
    rewound away. The role's launcher mends that; without it this test loses rows.
    """
    hung, other = data.primary(), data.replica()
    with Writable("app1", hung) as old, Writable("app2", other) as new, Ledger("app1", seconds=150, rate=RATE) as run:
        run.wait_ready()
        at = time.monotonic()
        if how == "patroni":
            with data.frozen(hung, "^/usr/bin/python3 .*/patroni /etc/patroni/config.yml"):
                data.wait_until("the other leads", lambda: data.leads(other), 60)
                time.sleep(8)
        else:
            docker("pause", fleet.container(hung))
            try:
                data.wait_until("the other leads", lambda: data.leads(other), 60)
                time.sleep(8)
            finally:
                docker("unpause", fleet.container(hung))
        data.wait_healthy(120)
        seen = compare([old, new], injected=at)
        result = run.result()
    never_both(seen)
    result.assert_sound()
    assert data.primary() == other


@pytest.mark.long
def test_4_one_etcd_member_less_is_not_noticed() -> None:
    before, timeline = data.primary(), data.timeline()
    with Ledger("app1", seconds=60, rate=RATE) as run:
        run.wait_ready()
        with data.stopped("etcd", "ops1"):
            time.sleep(TTL + 5)
        result = run.result()
    result.assert_unnoticed()
    assert result.longest_gap_s < 2, result.figures
    assert (data.primary(), data.timeline()) == (before, timeline)


@pytest.mark.long
def test_4_without_etcd_writes_go_on_while_all_members_answer() -> None:
    before, timeline = data.primary(), data.timeline()
    with Ledger("app1", seconds=90, rate=RATE) as run:
        run.wait_ready()
        with data.stopped("etcd", "db1", "db2", "ops1"):
            time.sleep(2 * TTL + 5)
            refused = fleet.playbook("playbooks/switchover.yml")
            assert_clients_pass()
        data.wait_until("etcd is back", lambda: bool(data.members()), 60)
        time.sleep(5)
        result = run.result()
    result.assert_unnoticed()
    assert (data.primary(), data.timeline()) == (before, timeline)
    assert refused.code != 0
    assert "The lock on changes lies in etcd, which could not be asked" in refused.folded, refused.output


@pytest.mark.long
def test_4_without_etcd_and_without_the_other_member_the_primary_steps_down() -> None:
    alone = data.primary()
    with Writable("app1", alone) as asked, data.stopped("etcd", "db1", "db2", "ops1"):
        time.sleep(5)
        data.kill_host(data.DATABASES[1 - data.DATABASES.index(alone)])
        at = time.monotonic()
        try:
            time.sleep(2 * TTL + 10)
            assert data.sql(alone, "select pg_is_in_recovery()") == "t"
        finally:
            data.start_host(data.DATABASES[1 - data.DATABASES.index(alone)])
    seen = compare([asked], injected=at)
    assert seen["nodes"][alone]["last_ack_s"] <= TTL + 5, seen


def test_6_the_replicas_host_dies_and_the_policy_is_seen() -> None:
    """degrade: commits wait until the replica counts as gone, then one copy must do."""
    gone = data.replica()
    with Ledger("app1", seconds=120, rate=RATE) as run:
        run.wait_ready()
        data.kill_host(gone)
        try:
            run.wait_writing(60)
            assert data.sql(data.primary(), "show synchronous_standby_names") == ""
        finally:
            data.start_host(gone)
        data.wait_healthy(120)
        result = run.result()
    result.assert_sound()
    assert result.longest_gap_s < 25, result.figures


def test_7_a_replica_that_lags_is_not_switched_to() -> None:
    before, lagging = data.primary(), data.replica()
    # What replays. A paused replay would not lag for long: Patroni lets it go on within seconds.
    with data.frozen(lagging, "[s]tartup recovering"):
        for _ in range(3):
            data.sql(
                before, "select pg_logical_emit_message(false, 'lag', repeat('x', 16000000)); select pg_switch_wal()"
            )
        refused = fleet.playbook("playbooks/switchover.yml")
        assert_clients_pass()
    assert refused.code != 0, refused.output
    assert re.search(rf"{lagging} is \d+ bytes behind, the limit is 1048576", refused.folded), refused.output
    assert data.primary() == before


@pytest.mark.long
def test_8_an_abandoned_slot_does_not_fill_the_primarys_disk() -> None:
    """The replica stops reading but stays a member, and so does its slot: the limit gives it up."""
    main, away = data.primary(), data.replica()
    slot = f"select wal_status from pg_replication_slots where slot_name = '{away}'"  # noqa: S608
    limited = fleet.site("--tags", "postgres", "-e", "postgres_max_slot_wal_keep_size=64MB")
    assert limited.code == 0, limited.output
    try:
        data.wait_until("the limit is taken up", lambda: data.sql(main, "show max_slot_wal_keep_size") == "64MB", 30)
        with data.frozen(away, "[w]alreceiver"):
            data.wait_until(
                "the primary goes on alone", lambda: data.sql(main, "show synchronous_standby_names") == "", 60
            )
            # More than the limit and wal_keep_size (256 MB) together.
            for _ in range(24):
                data.sql(
                    main, "select pg_logical_emit_message(false, 'slot', repeat('x', 16000000)); select pg_switch_wal()"
                )
            data.sql(main, "checkpoint")
            assert data.sql(main, slot) == "lost"
            assert data.primary() == main
        cloned = fleet.playbook("playbooks/reinit_replica.yml", "-e", f"member={away}", "-e", f"confirm={away}")
        assert cloned.code == 0, cloned.output
        data.wait_healthy(180)
    finally:
        rerun = fleet.site("--tags", "postgres")
    assert rerun.code == 0, rerun.output
    assert data.sql(data.primary(), "show max_slot_wal_keep_size") != "64MB"
