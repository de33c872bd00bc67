# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Patroni cluster as its REST API describes it: pure reading, no I/O. What cannot be read raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
LEADING = ("leader", "standby_leader")
WRITING = ("master", "primary")
SYNCHRONOUS = ("sync_standby", "quorum_standby")
# What PostgreSQL reads only when it starts (context postmaster). Patroni 3 says that a restart is pending, not why.
POSTMASTER = frozenset(
    (
        "archive_mode",
        "autovacuum_freeze_max_age",
        "autovacuum_max_workers",
        "autovacuum_multixact_freeze_max_age",
        "bonjour",
        "cluster_name",
        "dynamic_shared_memory_type",
        "event_source",
        "hot_standby",
        "huge_page_size",
        "huge_pages",
        "jit_provider",
        "listen_addresses",
        "logging_collector",
        "max_connections",
        "max_files_per_process",
        "max_locks_per_transaction",
        "max_logical_replication_workers",
        "max_notify_queue_pages",
        "max_pred_locks_per_transaction",
        "max_prepared_transactions",
        "max_replication_slots",
        "max_wal_senders",
        "max_worker_processes",
        "min_dynamic_shared_memory",
        "old_snapshot_threshold",
        "port",
        "recovery_target",
        "reserved_connections",
        "shared_buffers",
        "shared_memory_type",
        "shared_preload_libraries",
        "superuser_reserved_connections",
        "track_activity_query_size",
        "track_commit_timestamp",
        "transaction_buffers",
        "subtransaction_buffers",
        "commit_timestamp_buffers",
        "multixact_member_buffers",
        "multixact_offset_buffers",
        "notify_buffers",
        "serializable_buffers",
        "unix_socket_directories",
        "unix_socket_group",
        "unix_socket_permissions",
        "wal_buffers",
        "wal_decode_buffer_size",
        "wal_level",
        "wal_log_hints",
    )
)


class PatroniError(Exception):
    """What went wrong, where, and what to do next."""


def known(value: T | None, what: str) -> T:
    """What an earlier check has made sure of."""
    if value is None:
        raise PatroniError(f"{what} is not known; look at the cluster (state: info), then run again")
    return value


@dataclass(frozen=True)
class Member:
    """One member: what the cluster's memory says of it, and what it says itself."""

    name: str
    role: str = "replica"
    state: str = ""
    timeline: int | None = None
    # Bytes behind by Patroni's own reckoning, as old as its last loop. None is unknown.
    lag: int | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)
    # What the member itself answered; the defaults are those of one that did not.
    answered: bool = False
    error: str = ""
    own_role: str = ""
    own_state: str = ""
    position: int | None = None
    replayed: int | None = None
    replay_paused: bool = False
    pending_restart: bool = False
    pending_reason: Mapping[str, Any] = field(default_factory=dict)
    started: str = ""
    version: str = ""
    server_version: int = 0
    scope: str = ""
    paused: bool = False
    failsafe: bool = False
    unlocked: bool = False
    dcs_last_seen: int | None = None
    streams: Mapping[str, str] = field(default_factory=dict)

    @property
    def leads(self) -> bool:
        return self.role in LEADING

    @property
    def synchronous(self) -> bool:
        return self.role in SYNCHRONOUS

    @property
    def writes(self) -> bool:
        """By its own word it is a running primary."""
        return self.answered and self.own_role in WRITING and self.own_state == "running"

    @property
    def ready(self) -> bool:
        """By its own word it is a running replica."""
        return self.answered and self.own_role == "replica" and self.own_state == "running"


@dataclass(frozen=True)
class Cluster:
    members: tuple[Member, ...]
    paused: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    scheduled: Mapping[str, Any] = field(default_factory=dict)

    @property
    def leader(self) -> Member | None:
        return next((member for member in self.members if member.leads), None)

    @property
    def replicas(self) -> tuple[Member, ...]:
        return tuple(member for member in self.members if not member.leads)

    @property
    def synchronous_mode(self) -> bool:
        return truth(self.config.get("synchronous_mode")) or self.config.get("synchronous_mode") == "quorum"

    @property
    def loop_wait(self) -> int:
        return int(self.config.get("loop_wait") or 10)

    @property
    def ttl(self) -> int:
        return int(self.config.get("ttl") or 30)

    def member(self, name: str) -> Member | None:
        return next((member for member in self.members if member.name == name), None)

    def lag(self, member: Member) -> int | None:
        """Bytes that a replica has yet to replay. Patroni's own figure hides a paused replay, so positions count.

        The replica was asked after the leader: what it has replayed since then must not count as less than nothing.
        """
        leader = self.leader
        if leader is None or (leader.position is None and leader.own_state != "running"):
            # Nobody to compare with, for a server that is down tells no position: what the leader last wrote down.
            return member.lag
        if leader.position is None or member.replayed is None:
            return None
        return max(0, leader.position - member.replayed)


def truth(value: Any) -> bool:
    return str(value).lower() in ("on", "true", "yes", "1")


def number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_cluster(
    document: Any, statuses: Mapping[str, Any], config: Any, errors: Mapping[str, str] | None = None
) -> Cluster:
    """GET /cluster, GET /patroni of each member that answered, GET /config. Raises when one makes no sense."""
    if not isinstance(document, Mapping) or not isinstance(document.get("members"), list):
        raise PatroniError(f"GET /cluster did not answer with a list of members but with {short(document)}")
    if not isinstance(config, Mapping):
        raise PatroniError(f"GET /config did not answer with settings but with {short(config)}")
    members = []
    for entry in document["members"]:
        if not isinstance(entry, Mapping) or not entry.get("name"):
            raise PatroniError(f"GET /cluster lists a member without a name: {short(entry)}")
        members.append(read_member(entry, statuses.get(entry["name"]), (errors or {}).get(entry["name"], "")))
    leaders = [member.name for member in members if member.leads]
    if len(leaders) > 1:
        raise PatroniError(f"GET /cluster names more than one leader: {', '.join(leaders)}; do nothing, look at etcd")
    return Cluster(tuple(members), bool(document.get("pause")), config, document.get("scheduled_switchover") or {})


def read_member(entry: Mapping[str, Any], status: Any, error: str = "") -> Member:
    said: dict[str, Any] = {
        "name": str(entry["name"]),
        "role": str(entry.get("role") or ""),
        "state": str(entry.get("state") or ""),
        "timeline": number(entry.get("timeline")),
        "lag": number(entry.get("lag")),
        "tags": entry.get("tags") or {},
        "pending_restart": bool(entry.get("pending_restart")),
        "pending_reason": entry.get("pending_restart_reason") or {},
        "error": error or "it was not asked",
    }
    if status is not None:
        said |= read_status(status, said["name"])
    return Member(**said)


def read_status(status: Any, name: str) -> dict[str, Any]:
    """What a member says of itself."""
    if not isinstance(status, Mapping) or not status.get("state") or not status.get("role"):
        raise PatroniError(f"GET /patroni of {name} holds no state and role: {short(status)}")
    xlog = status.get("xlog") or {}
    about = status.get("patroni") or {}
    own: dict[str, Any] = {
        "answered": True,
        "error": "",
        "own_role": str(status["role"]),
        "own_state": str(status["state"]),
        "position": number(xlog.get("location")),
        "replayed": number(xlog.get("replayed_location")),
        "replay_paused": bool(xlog.get("paused")),
        "pending_restart": bool(status.get("pending_restart")),
        "pending_reason": status.get("pending_restart_reason") or {},
        "started": str(status.get("postmaster_start_time") or ""),
        "version": str(about.get("version") or ""),
        "server_version": number(status.get("server_version")) or 0,
        "scope": str(about.get("scope") or ""),
        "paused": bool(status.get("pause")),
        "failsafe": bool(status.get("failsafe_mode_is_active")),
        "unlocked": bool(status.get("cluster_unlocked")),
        "dcs_last_seen": number(status.get("dcs_last_seen")),
        "streams": {
            str(row.get("application_name")): str(row.get("state"))
            for row in status.get("replication") or []
            if isinstance(row, Mapping)
        },
    }
    if number(status.get("timeline")):
        own["timeline"] = status["timeline"]
    return own


def facts(cluster: Cluster) -> dict[str, Any]:
    """What the module returns; plain data."""
    leader = cluster.leader
    return {
        "leader": leader.name if leader else None,
        "sync_standbys": [member.name for member in cluster.members if member.synchronous],
        "timeline": leader.timeline if leader else None,
        "paused": cluster.paused,
        "synchronous_mode": cluster.synchronous_mode,
        "pending_restart": [member.name for member in cluster.members if member.pending_restart],
        "config": dict(cluster.config),
        "members": [
            {
                "name": member.name,
                "role": member.role,
                "state": member.own_state or member.state,
                "timeline": member.timeline,
                "lag_bytes": None if member.leads else cluster.lag(member),
                "pending_restart": member.pending_restart,
                "pending_restart_reason": dict(member.pending_reason),
                "replay_paused": member.replay_paused,
                "answered": member.answered,
                "error": member.error,
                "patroni": member.version,
                "postgresql": member.server_version,
            }
            for member in cluster.members
        ],
    }


def describe(cluster: Cluster) -> list[str]:
    """The cluster in lines for a person."""
    lines = []
    for member in cluster.members:
        lag = cluster.lag(member)
        behind = "" if member.leads else f", lag {'unknown' if lag is None else f'{lag} bytes'}"
        more = ", restart pending" if member.pending_restart else ""
        if member.pending_restart and member.pending_reason:
            more += f" ({', '.join(sorted(member.pending_reason))})"
        more += ", replay paused" if member.replay_paused else ""
        more += "" if member.answered else f", does not answer: {member.error}"
        role = member.role.replace("_", " ")
        lines.append(
            f"{member.name}: {role}, {member.own_state or member.state}, timeline {member.timeline}{behind}{more}"
        )
    lines.append(f"automatic failover: {'paused' if cluster.paused else 'on'}")
    return lines


def short(value: Any, length: int = 200) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= length else text[:length] + "..."
