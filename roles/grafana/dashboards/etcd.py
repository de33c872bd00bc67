# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd and Patroni: is there one leader that everybody agrees on?"""

from __future__ import annotations

from .marks import FAILOVERS
from .panels import NEUTRAL, Board, below, exactly, least, stat, table, timeseries

BOARD = Board(
    uid="etcd",
    title="etcd and Patroni",
    question="Is there one leader, and a majority that says so?",
    reading=(
        "etcd keeps the lease that says who is primary; without a majority of it nobody is promoted. So look at "
        "its members "
        "first, then at Patroni's: exactly one primary, one synchronous standby, one timeline. Slow disks show "
        "as fsync and "
        "then as changes of leader."
    ),
    hosts="etcd_server_has_leader{ENV}",
    marks=(FAILOVERS,),
    top=(
        stat(
            "members",
            "Members of etcd down: 0",
            'sum(up{job="etcd",ENV} == bool 0)',
            "none",
            below(1, 2),
            "One of three may be away. With the second, the cluster stops deciding, and a primary that dies "
            "stays dead.",
        ),
        stat(
            "leader",
            "Members with a leader: all",
            "min(etcd_server_has_leader{HERE})",
            "none",
            least(1),
            "0: a member has no leader. If all have none, the majority is gone: runbook EtcdNoLeader.",
            words={0: "no", 1: "all"},
        ),
        stat(
            "primary",
            "Primaries: exactly 1",
            "sum(patroni_primary{ENV})",
            "none",
            exactly(1),
            "Hosts whose Patroni says it leads. 0: nobody can write; look at etcd and at the log of Patroni. "
            "2 would be a split: page somebody, and see the runbook of PatroniTwoPrimaries.",
        ),
        stat(
            "standby",
            "Synchronous standbys: 1",
            "sum(patroni_sync_standby{ENV})",
            "none",
            least(1),
            "A commit waits for this one. 0: commits wait, or Patroni has gone on without it, and a failover may "
            "lose rows.",
        ),
        stat(
            "paused",
            "Patroni paused: no",
            "max(patroni_is_paused{ENV})",
            "none",
            below(1),
            "A paused Patroni promotes nobody. Somebody does maintenance, or forgot: patronictl resume.",
            words={0: "no", 1: "paused"},
        ),
        stat(
            "restart",
            "Waiting for a restart: 0",
            "sum(patroni_pending_restart{ENV})",
            "none",
            below(1),
            "Members with a setting that comes into force at a restart: playbooks/rolling_restart.yml.",
        ),
    ),
    body=(
        timeseries(
            "fsync",
            "Write to disk, p99: under 10 ms",
            "histogram_quantile(0.99, sum by (instance, le) "
            '(rate(etcd_disk_wal_fsync_duration_seconds_bucket{HERE,job="etcd"}[$__rate_interval])))',
            "s",
            below(0.01, 0.1),
            "How long etcd's log takes to reach the disk. Over 100 ms members miss heartbeats, and leaders change.",
        ),
        timeseries(
            "commit",
            "Commit, p99: under 25 ms",
            "histogram_quantile(0.99, sum by (instance, le) "
            '(rate(etcd_disk_backend_commit_duration_seconds_bucket{HERE,job="etcd"}[$__rate_interval])))',
            "s",
            below(0.025, 0.25),
            "How long a batch takes to get into etcd's database.",
        ),
        timeseries(
            "changes",
            "Changes of etcd's leader in an hour: under 3",
            "increase(etcd_server_leader_changes_seen_total{HERE}[1h])",
            "none",
            below(3, 6),
            "More is a slow disk, a lossy network, or a host that is out of processor.",
        ),
        timeseries(
            "size",
            "Database: under 80 % of its quota",
            "etcd_mvcc_db_total_size_in_bytes{HERE} / etcd_server_quota_backend_bytes{HERE}",
            "percentunit",
            below(0.80, 0.95),
            "At 100 % etcd takes no more writes, and Patroni loses its lease. Compaction runs by itself; see the "
            "role's README.",
        ),
        timeseries(
            "proposals",
            "Failed proposals: none",
            "rate(etcd_server_proposals_failed_total{HERE}[$__rate_interval])",
            "reqps",
            below(0.1, 1),
            "Writes that found no majority.",
        ),
        timeseries(
            "lastseen",
            "Patroni last reached etcd: under 30 s ago",
            "time() - patroni_dcs_last_seen{ENV}",
            "s",
            below(30, 60),
            "Beyond the lease's time a primary steps down, unless failsafe mode carries it.",
        ),
        table(
            "patroni",
            "Who is what: one primary, one standby, one timeline",
            {
                "Primary": "patroni_primary{ENV}",
                "Sync standby": "patroni_sync_standby{ENV}",
                "Replica": "patroni_replica{ENV}",
                "Timeline": "patroni_postgres_timeline{ENV}",
                "Server runs": "patroni_postgres_running{ENV}",
            },
            "none",
            NEUTRAL.because("columns of different kinds, each with its own good value"),
            "What each Patroni says of itself. Another timeline than the primary's means that a member did not follow.",
            width=24,
        ),
    ),
)
