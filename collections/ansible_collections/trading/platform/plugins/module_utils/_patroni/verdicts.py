# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May it be done? Each verdict returns what stands against it, or picks who; pure, and before anything is touched."""

from __future__ import annotations

from collections.abc import Sequence

from .view import Cluster, Member, truth

RESUME = "End the pause first (state: resume), and find out who paused it and why."


def reading(cluster: Cluster, expected: Sequence[str], scope: str, now: float) -> list[str]:
    """Against trusting what was read: members missing, a foreign cluster, a memory that is out of reach or stale."""
    problems = []
    known = {member.name for member in cluster.members}
    missing = [name for name in expected if name not in known]
    foreign = sorted(known - set(expected))
    if missing:
        problems.append(
            f"{', '.join(missing)} should be in the cluster {scope} and Patroni does not list it: "
            "look at `systemctl status patroni` there, or take the host out of postgres_members"
        )
    if foreign:
        problems.append(
            f"Patroni lists {', '.join(foreign)}, which the inventory does not have in the cluster {scope}: "
            "add it to postgres_members or stop Patroni there"
        )
    for member in cluster.members:
        if member.answered and scope and member.scope != scope:
            problems.append(f"{member.name} belongs to the cluster {member.scope or 'without a name'}, not to {scope}")
    return problems + memory(cluster, now)


def memory(cluster: Cluster, now: float) -> list[str]:
    """Against the cluster's memory (etcd): whether the members still reach it."""
    problems = []
    for member in cluster.members:
        if member.answered and member.failsafe:
            problems.append(f"{member.name} cannot reach etcd and runs in failsafe mode: bring etcd back first")
        elif member.answered and member.dcs_last_seen is not None and now - member.dcs_last_seen > cluster.ttl:
            problems.append(
                f"{member.name} last heard from etcd {now - member.dcs_last_seen:.0f} s ago, more than the ttl of "
                f"{cluster.ttl} s: look at etcd and at `journalctl -u patroni` on {member.name}"
            )
    return problems


def silent(cluster: Cluster) -> list[str]:
    return [
        f"Patroni on {member.name} does not answer ({member.error}): bring it back first"
        for member in cluster.members
        if not member.answered
    ]


def candidate_for(cluster: Cluster, wanted: str | None, max_lag: int) -> tuple[Member | None, list[str]]:
    """Who takes over: the one asked for, else the synchronous standby, else the replica that is least behind."""
    leader = cluster.leader
    if wanted:
        member = cluster.member(wanted)
        if member is None:
            names = ", ".join(member.name for member in cluster.members)
            return None, [f"{wanted} is no member of the cluster; members are {names}"]
        return member, [] if member is leader else candidate_problems(cluster, member, max_lag)
    able = [member for member in cluster.replicas if not candidate_problems(cluster, member, max_lag)]
    if able:
        return min(able, key=lambda member: (not member.synchronous, cluster.lag(member) or 0, member.name)), []
    if not cluster.replicas:
        return None, ["the cluster has one member only: nobody could take over"]
    reasons = [reason for member in cluster.replicas for reason in candidate_problems(cluster, member, max_lag)]
    return None, ["no replica can take over", *reasons]


def candidate_problems(cluster: Cluster, member: Member, max_lag: int) -> list[str]:
    """Against making this replica the primary."""
    problems = []
    if not member.answered:
        return [f"Patroni on {member.name} does not answer ({member.error}): bring it back first"]
    if not member.ready:
        problems.append(
            f"PostgreSQL on {member.name} is {member.own_state} as {member.own_role}, not a running replica: "
            "look at `journalctl -u patroni` there"
        )
    if truth(member.tags.get("nofailover")):
        problems.append(f"{member.name} carries the tag nofailover and may not take over")
    if cluster.synchronous_mode and not member.synchronous:
        problems.append(
            f"{member.name} is not the synchronous standby, so it may miss acknowledged rows: "
            "wait until Patroni lists it as sync_standby, or name the one that is"
        )
    if member.replay_paused:
        problems.append(f"replay is paused on {member.name}: run `SELECT pg_wal_replay_resume()` there")
    return problems + lag_problems(cluster, member, max_lag)


def lag_problems(cluster: Cluster, member: Member, max_lag: int) -> list[str]:
    lag = cluster.lag(member)
    if lag is None:
        return [f"the lag of {member.name} cannot be read: look at `journalctl -u patroni` there"]
    if lag > max_lag:
        return [
            f"{member.name} is {lag} bytes behind, the limit is {max_lag}: "
            "wait until it has caught up, and look for long queries or a slow disk on it if it does not"
        ]
    return []


def planned(cluster: Cluster) -> list[str]:
    """Against any planned change of the primary."""
    problems = []
    leader = cluster.leader
    if cluster.paused:
        problems.append(f"automatic failover is paused. {RESUME}")
    if cluster.scheduled:
        problems.append(
            f"a switchover is already scheduled at {cluster.scheduled.get('at')}: "
            "cancel it (`patronictl flush CLUSTER switchover`) or wait for it"
        )
    if leader is None:
        problems.append("the cluster has no leader: look at Patroni and etcd; playbooks/failover.yml may help")
    elif not leader.answered:
        problems.append(f"the leader {leader.name} does not answer ({leader.error}): bring it back first")
    elif not leader.writes:
        problems.append(f"the leader {leader.name} is {leader.own_state} as {leader.own_role}, not a running primary")
    return problems


def switchover(cluster: Cluster, wanted: str | None, max_lag: int) -> tuple[Member | None, list[str]]:
    """The candidate and what stands against it. The leader itself as candidate: nothing to do."""
    leader = cluster.leader
    if wanted and leader and leader.name == wanted and leader.writes and not cluster.paused:
        return leader, []
    candidate, problems = candidate_for(cluster, wanted, max_lag)
    return candidate, planned(cluster) + problems


def failover(
    cluster: Cluster, wanted: str | None, max_lag: int, allow_data_loss: bool = False
) -> tuple[Member | None, list[str]]:
    leader = cluster.leader
    if leader and leader.writes:
        if wanted == leader.name:
            return leader, []
        return None, [f"{leader.name} is a healthy leader: use playbooks/switchover.yml, which loses nothing"]
    if cluster.paused:
        return None, [f"automatic failover is paused, that is why nobody took over. {RESUME} Patroni then acts itself."]
    candidate, problems = candidate_for(cluster, wanted, max_lag)
    if problems and allow_data_loss:
        able = [member for member in cluster.replicas if member.ready and wanted in (None, member.name)]
        # Without a leader there is no position to compare with: the furthest is the best there is.
        if able:
            return max(able, key=lambda member: (member.synchronous, member.replayed or 0)), []
    if problems:
        problems.append("allow_data_loss accepts a replica that may miss rows, once nothing better can be brought back")
    return candidate, problems


def promotion(cluster: Cluster) -> list[str]:
    """Against having a standby cluster take writes."""
    leader = cluster.leader
    if leader is None:
        return ["the cluster has no leader: look at `patronictl list` and at etcd"]
    if not leader.answered:
        return [f"the leader {leader.name} does not answer ({leader.error}): bring it back first"]
    if leader.writes:
        return []
    problems = []
    if leader.role != "standby_leader":
        problems.append(f"{leader.name} leads no standby cluster: playbooks/failover.yml is for a cluster of its own")
    if cluster.paused:
        problems.append(f"automatic failover is paused. {RESUME}")
    if leader.own_state != "running":
        problems.append(f"PostgreSQL on {leader.name} is {leader.own_state}: look at `journalctl -u patroni` there")
    if leader.replay_paused:
        problems.append(f"replay is paused on {leader.name}: run `SELECT pg_wal_replay_resume()` there")
    return problems


def restart(cluster: Cluster, name: str) -> list[str]:
    member = cluster.member(name)
    if member is None:
        return [f"{name} is no member of the cluster; members are {', '.join(m.name for m in cluster.members)}"]
    if not member.answered:
        return [f"Patroni on {name} does not answer ({member.error}): bring it back first"]
    return []


def reinit(cluster: Cluster, name: str) -> list[str]:
    problems = restart(cluster, name)
    member = cluster.member(name)
    leader = cluster.leader
    if member and member.leads:
        problems.append(f"{name} is the leader: its data is the cluster's. Switch over first, then reinit it")
    if member and not member.leads and member.own_role in ("master", "primary"):
        problems.append(f"{name} says it is a primary: do nothing, look at `patronictl list` and at etcd")
    if leader is None:
        problems.append("the cluster has no leader to copy from")
    elif not leader.writes:
        problems.append(f"the leader {leader.name} is not a running primary, there is nothing to copy from")
    if cluster.paused:
        problems.append(f"automatic failover is paused. {RESUME}")
    return problems


def rejoined(cluster: Cluster, name: str, max_lag: int) -> list[str]:
    """Against saying that a member streams again as a replica of the present leader."""
    leader, member = cluster.leader, cluster.member(name)
    if leader is None or not leader.writes:
        return ["there is no running leader"]
    if member is None:
        return [f"Patroni does not list {name}"]
    if not member.ready:
        state = f"{member.own_state} as {member.own_role}" if member.answered else f"not answering ({member.error})"
        return [f"{name} is {state}"]
    problems = []
    if leader.streams.get(name) != "streaming":
        problems.append(f"{name} does not stream from {leader.name}")
    if member.timeline != leader.timeline:
        problems.append(f"{name} is on timeline {member.timeline}, {leader.name} on {leader.timeline}")
    if cluster.synchronous_mode and not any(other.synchronous for other in cluster.replicas):
        problems.append("no replica is synchronous yet")
    return problems + lag_problems(cluster, member, max_lag)


def rolling_step(cluster: Cluster, everyone: bool, done: Sequence[str], passes: int) -> tuple[str, str] | None:
    """The next act of a rolling restart: ("restart" | "switchover" | "restart_leader", member), or None at the end.

    Replicas first, the primary last by switchover, then the old primary, which is a replica by then. A lowered limit
    (max_connections) is one that replicas may not take before their primary: when a whole pass left the primary
    pending, it is restarted in its place behind paused proxies.
    """

    def due(member: Member) -> bool:
        return member.name not in done and (everyone or member.pending_restart)

    leader = cluster.leader
    if passes and leader and due(leader):
        return "restart_leader", leader.name
    for member in sorted(cluster.replicas, key=lambda member: (member.synchronous, member.name)):
        if due(member):
            return "restart", member.name
    if leader and due(leader):
        return ("switchover" if cluster.replicas else "restart_leader"), leader.name
    return None
