# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a cluster, and each verdict over it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._patroni import verdicts
from ansible_collections.trading.platform.plugins.module_utils._patroni.view import (
    Cluster,
    Member,
    PatroniError,
    describe,
    facts,
    read_cluster,
)

NOW = 1_800_000_000.0
MIB = 1 << 20
LEADER = Member(
    "db1",
    "leader",
    "running",
    7,
    answered=True,
    own_role="master",
    own_state="running",
    position=5000,
    scope="trading",
    dcs_last_seen=int(NOW),
    streams={"db2": "streaming"},
)
REPLICA = Member(
    "db2",
    "sync_standby",
    "running",
    7,
    lag=0,
    answered=True,
    own_role="replica",
    own_state="running",
    replayed=5000,
    scope="trading",
    dcs_last_seen=int(NOW),
)
CONFIG = {"synchronous_mode": True, "ttl": 15, "loop_wait": 3}


def cluster(leader: dict[str, Any] | None = None, replica: dict[str, Any] | None = None, **more: Any) -> Cluster:
    members = (dataclasses.replace(LEADER, **(leader or {})), dataclasses.replace(REPLICA, **(replica or {})))
    return Cluster(**({"members": members, "config": CONFIG} | more))


DEAD = {"answered": False, "error": "connection refused", "own_role": "", "own_state": "", "position": None}
# GET /patroni of a member whose server is down has neither xlog nor replication.
CRASHED: dict[str, Any] = {"own_state": "crashed", "position": None, "streams": {}}


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (cluster(), None),
        (cluster(paused=True), "automatic failover is paused"),
        (cluster(scheduled={"at": "tomorrow"}), "already scheduled at tomorrow"),
        (cluster(replica={"replayed": 5000 - MIB - 1}, leader={"position": 5000}), "bytes behind"),
        (cluster(leader={"position": 5000 + MIB}), None),
        (cluster(leader={"position": 5001 + MIB}), f"db2 is {MIB + 1} bytes behind, the limit is {MIB}"),
        (cluster(replica={"replayed": None}), "lag of db2 cannot be read"),
        (cluster(replica={"replay_paused": True}), "pg_wal_replay_resume"),
        (cluster(replica={"role": "replica"}), "not the synchronous standby"),
        (cluster(replica={"role": "replica"}, config={}), None),
        (cluster(replica={"role": "quorum_standby"}, config={"synchronous_mode": "quorum"}), None),
        (cluster(replica={"own_state": "starting"}), "is starting as replica"),
        (cluster(replica=DEAD), "does not answer (connection refused)"),
        (cluster(replica={"tags": {"nofailover": True}}), "nofailover"),
        (cluster(leader=DEAD), "leader db1 does not answer"),
        (cluster(leader={"own_role": "replica"}), "not a running primary"),
        (cluster(leader={"own_role": "primary"}), None),
        (cluster(leader={"role": "replica"}), "no leader"),
        (Cluster((LEADER,), config=CONFIG), "one member only"),
    ],
)
@pytest.mark.parametrize("wanted", [None, "db2"])
def test_switchover(view: Cluster, says: str | None, wanted: str | None) -> None:
    candidate, problems = verdicts.switchover(view, wanted, MIB)
    if says is None:
        assert problems == []
        assert candidate is not None
        assert candidate.name == "db2"
    elif wanted and view.member(wanted) is None:
        assert "db2 is no member of the cluster; members are db1" in problems
    else:
        assert says in "; ".join(problems)


def test_switchover_to_the_leader_changes_nothing() -> None:
    candidate, problems = verdicts.switchover(cluster(), "db1", MIB)
    assert candidate is not None
    assert (candidate.name, problems) == ("db1", [])


def test_the_least_behind_is_chosen_and_a_synchronous_one_first() -> None:
    third = dataclasses.replace(REPLICA, name="db3", role="replica", replayed=5000)
    behind = dataclasses.replace(REPLICA, role="replica", replayed=4000)
    view = Cluster((LEADER, behind, third))
    assert verdicts.candidate_for(view, None, MIB)[0] == third
    sync = dataclasses.replace(behind, role="sync_standby")
    assert verdicts.candidate_for(Cluster((LEADER, sync, third)), None, MIB)[0] == sync


@pytest.mark.parametrize(
    ("view", "lossy", "candidate", "says"),
    [
        (cluster(), False, None, "healthy leader: use playbooks/switchover.yml"),
        (cluster(), True, None, "healthy leader: use playbooks/switchover.yml"),
        (cluster(leader=DEAD, paused=True), True, None, "paused"),
        # Nobody to compare with: the lag is what the dead leader last wrote down.
        (cluster(leader=DEAD), False, "db2", None),
        (cluster(leader=DEAD, replica={"lag": None}), False, None, "the lag of db2 cannot be read"),
        (cluster(leader=DEAD, replica={"lag": 2 * MIB}), False, None, "bytes behind"),
        (cluster(leader=DEAD), True, "db2", None),
        (cluster(leader=DEAD, replica=DEAD), True, None, "does not answer"),
        (cluster(leader=CRASHED), False, "db2", None),
        (cluster(leader=CRASHED | {"own_state": "unknown"}), False, "db2", None),
        (cluster(leader=CRASHED, replica={"lag": None}), False, None, "the lag of db2 cannot be read"),
        (cluster(leader=CRASHED, replica={"lag": 2 * MIB}), False, None, "bytes behind"),
        (cluster(leader=CRASHED, replica={"role": "replica"}), False, None, "allow_data_loss"),
        (cluster(leader=CRASHED, replica={"role": "replica"}), True, "db2", None),
        (cluster(leader=CRASHED, replica={"role": "replica", "lag": None}, config={}), False, None, "cannot be read"),
        # It holds the lease and is about to write.
        (cluster(leader={"own_role": "replica", "position": None}), False, None, "the lag of db2 cannot be read"),
    ],
)
def test_failover(view: Cluster, lossy: bool, candidate: str | None, says: str | None) -> None:
    member, problems = verdicts.failover(view, None, MIB, lossy)
    if says is None:
        assert problems == []
        assert member is not None
        assert member.name == candidate
    else:
        assert says in "; ".join(problems)


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (cluster(), None),
        (Cluster((LEADER,)), "db2 should be in the cluster trading"),
        (Cluster((LEADER, REPLICA, dataclasses.replace(REPLICA, name="db9"))), "lists db9"),
        (cluster(replica={"scope": "other"}), "db2 belongs to the cluster other"),
        (cluster(leader={"failsafe": True}), "cannot reach etcd"),
        (cluster(replica={"dcs_last_seen": int(NOW) - 16}), "last heard from etcd 16 s ago"),
        (cluster(replica={"dcs_last_seen": int(NOW) - 14}), None),
        (cluster(replica={"dcs_last_seen": None}), None),
    ],
)
def test_reading(view: Cluster, says: str | None) -> None:
    problems = verdicts.reading(view, ["db1", "db2"], "trading", NOW)
    assert problems == [] if says is None else says in "; ".join(problems)


@pytest.mark.parametrize(
    ("view", "name", "says"),
    [
        (cluster(), "db2", None),
        (cluster(), "db1", "db1 is the leader"),
        (cluster(), "db3", "no member"),
        (cluster(replica=DEAD), "db2", "does not answer"),
        (cluster(replica={"own_role": "master"}), "db2", "says it is a primary"),
        (cluster(replica={"own_state": "crashed"}), "db2", None),
        (cluster(leader={"own_state": "stopped"}), "db2", "nothing to copy from"),
        (cluster(paused=True), "db2", "paused"),
    ],
)
def test_reinit(view: Cluster, name: str, says: str | None) -> None:
    problems = verdicts.reinit(view, name)
    assert problems == [] if says is None else says in "; ".join(problems)


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (cluster(), None),
        (cluster(leader={"streams": {}}), "does not stream"),
        (cluster(leader={"streams": {"db2": "catchup"}}), "does not stream"),
        (cluster(replica={"timeline": 6}), "timeline 6"),
        (cluster(replica={"role": "replica"}), "synchronous yet"),
        (cluster(replica={"own_state": "stopped"}), "db2 is stopped"),
        (cluster(replica=DEAD), "not answering"),
        (cluster(leader=DEAD), "no running leader"),
    ],
)
def test_rejoined(view: Cluster, says: str | None) -> None:
    problems = verdicts.rejoined(view, "db2", MIB)
    assert problems == [] if says is None else says in "; ".join(problems)


PENDING = {"pending_restart": True}


@pytest.mark.parametrize(
    ("view", "everyone", "done", "passes", "step"),
    [
        (cluster(), False, [], 0, None),
        (cluster(), True, [], 0, ("restart", "db2")),
        (cluster(PENDING, PENDING), False, [], 0, ("restart", "db2")),
        (cluster(PENDING), False, [], 0, ("switchover", "db1")),
        (cluster(PENDING, PENDING), False, ["db2"], 0, ("switchover", "db1")),
        (cluster(PENDING, PENDING), False, ["db1", "db2"], 0, None),
        # A lowered limit: the second pass begins with the primary, in its place.
        (cluster(PENDING, PENDING), False, [], 1, ("restart_leader", "db1")),
        (cluster({}, PENDING), False, ["db1"], 1, ("restart", "db2")),
        (Cluster((dataclasses.replace(LEADER, pending_restart=True),)), False, [], 0, ("restart_leader", "db1")),
    ],
)
def test_rolling_step(
    view: Cluster, everyone: bool, done: list[str], passes: int, step: tuple[str, str] | None
) -> None:
    assert verdicts.rolling_step(view, everyone, done, passes) == step


STATUS = {
    "state": "running",
    "role": "replica",
    "xlog": {"received_location": 90, "replayed_location": 80, "paused": True},
    "patroni": {"version": "3.0.2", "scope": "trading"},
    "pending_restart": True,
}
ENTRY = {"name": "db2", "role": "sync_standby", "state": "running", "timeline": 3, "lag": "unknown"}
LEADING = {"name": "db1", "role": "leader", "state": "running", "timeline": 3}
WRITING = {"state": "running", "role": "primary", "xlog": {"location": 100}, "timeline": 3}


def test_lag_is_what_is_not_replayed_yet() -> None:
    view = read_cluster({"members": [LEADING, ENTRY]}, {"db1": WRITING, "db2": STATUS}, {})
    member = view.member("db2")
    assert member is not None
    assert (view.lag(member), member.replay_paused, member.scope) == (20, True, "trading")
    assert describe(view)[1] == "db2: sync standby, running, timeline 3, lag 20 bytes, restart pending, replay paused"
    assert facts(view)["pending_restart"] == ["db2"]


@pytest.mark.parametrize(
    ("document", "statuses", "config", "says"),
    [
        ("<html>", {}, {}, "list of members"),
        ({"members": {}}, {}, {}, "list of members"),
        ({"members": [{"role": "leader"}]}, {}, {}, "without a name"),
        ({"members": []}, {}, None, "settings"),
        ({"members": [ENTRY]}, {"db2": {"role": "replica"}}, {}, "no state and role"),
        ({"members": [ENTRY]}, {"db2": "gateway"}, {}, "no state and role"),
        ({"members": [LEADING, LEADING | {"name": "db2"}]}, {}, {}, "more than one leader"),
    ],
)
def test_what_cannot_be_read_raises(document: Any, statuses: dict[str, Any], config: Any, says: str) -> None:
    with pytest.raises(PatroniError, match=says):
        read_cluster(document, statuses, config)


STANDBY_LEADER = {"role": "standby_leader", "own_role": "standby_leader", "position": None, "replayed": 5000}


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (cluster(leader=STANDBY_LEADER), None),
        # It takes writes already.
        (cluster(), None),
        (cluster(paused=True), None),
        (cluster(leader=STANDBY_LEADER, paused=True), "paused"),
        (cluster(leader=STANDBY_LEADER | {"own_state": "starting"}), "is starting"),
        (cluster(leader=STANDBY_LEADER | {"replay_paused": True}), "pg_wal_replay_resume"),
        (cluster(leader=STANDBY_LEADER | DEAD), "does not answer"),
        (cluster(leader={"own_role": "replica"}), "leads no standby cluster"),
        (cluster(leader={"role": "replica"}), "no leader"),
    ],
)
def test_promotion(view: Cluster, says: str | None) -> None:
    problems = verdicts.promotion(view)
    assert bool(problems) == (says is not None), problems
    assert says is None or says in "; ".join(problems)
