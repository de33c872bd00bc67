# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis and its sentinels: who is master, is there a replica, is there room?"""

from __future__ import annotations

from .marks import MASTERS, RELEASES
from .panels import NEUTRAL, Board, below, exactly, least, stat, table, timeseries

BOARD = Board(
    uid="redis",
    title="Redis",
    question="Is there one master with a replica, a quorum to replace it, and memory left?",
    reading=(
        "One master, one replica, all sentinels in agreement: then a host may die. Memory comes next, for at its "
        "limit Redis "
        "refuses writes on purpose. Rejected clients and slow commands are the application's to mend."
    ),
    hosts='redis_up{job="redis",ENV}',
    marks=(RELEASES, MASTERS),
    top=(
        stat(
            "down",
            "Members that do not answer: 0",
            'sum(redis_up{job="redis",ENV} == bool 0)',
            "none",
            below(1),
            "A member whose exporter cannot log in or connect. The runbook is RedisDown.",
        ),
        stat(
            "masters",
            "Masters: exactly 1",
            'count(redis_instance_info{job="redis",role="master",ENV}) or vector(0)',
            "none",
            exactly(1),
            "0: no writes. 2 for longer than a failover: a master that was cut off still takes writes that will "
            "be lost.",
        ),
        stat(
            "replicas",
            "Replicas connected: 1",
            'max(redis_connected_slaves{job="redis",ENV})',
            "none",
            least(1),
            "0: nobody could take over, and the last second of writes is on one disk only.",
        ),
        stat(
            "sentinels",
            "Sentinels that agree: 3",
            "min(redis_sentinel_master_sentinels{ENV})",
            "none",
            least(3, 2),
            "How many sentinels each sentinel knows of, itself included. Two are enough to promote, one is not.",
        ),
        stat(
            "memory",
            "Memory: under 80 %",
            'max(redis_memory_used_bytes{job="redis",HERE} / (redis_memory_max_bytes{job="redis",HERE} > 0))',
            "percentunit",
            below(0.80, 0.90),
            "At the limit Redis refuses writes (noeviction), because dropped sessions and jobs would not be seen.",
            decimals=1,
        ),
        stat(
            "disk",
            "Last write to disk: well",
            "min(redis_aof_last_write_status{HERE})",
            "none",
            least(1),
            "Whether the append-only file was written. If not, the disk is full or broken, and Redis stops "
            "taking writes.",
            words={0: "failed", 1: "well"},
        ),
    ),
    body=(
        timeseries(
            "used",
            "Memory in use: under 80 % of its limit",
            'redis_memory_used_bytes{job="redis",HERE} / (redis_memory_max_bytes{job="redis",HERE} > 0)',
            "percentunit",
            below(0.80, 0.90),
            "A line that only climbs: keys without an end of life, or a queue that nobody empties.",
        ),
        timeseries(
            "commands",
            "Commands a second, as usual",
            'rate(redis_commands_processed_total{job="redis",HERE}[$__rate_interval])',
            "ops",
            NEUTRAL.because("load has no good side: what it does to answers has its own panel"),
            "How much is asked. Replication counts on the replica.",
        ),
        timeseries(
            "latency",
            "Time for a command: under 1 ms",
            'sum by (instance) (rate(redis_commands_duration_seconds_total{job="redis",HERE}[$__rate_interval]))'
            ' / sum by (instance) (rate(redis_commands_total{job="redis",HERE}[$__rate_interval]))',
            "s",
            below(0.001, 0.01),
            "Mean over all commands, without the network. SLOWLOG GET on the host names the slow ones.",
        ),
        timeseries(
            "clients",
            "Clients, steady",
            {
                "{{instance}}": 'redis_connected_clients{job="redis",HERE}',
                "{{instance}} blocked": 'redis_blocked_clients{job="redis",HERE}',
            },
            "none",
            NEUTRAL.because("one limit cannot fit lines of different kinds"),
            "Connections. Those that wait for a job (BLPOP, XREAD) count as blocked, and are no trouble.",
        ),
        timeseries(
            "refused",
            "Refused connections and dropped keys: none",
            {
                "{{instance}} refused": 'rate(redis_rejected_connections_total{job="redis",HERE}[$__rate_interval])',
                "{{instance}} dropped": 'rate(redis_evicted_keys_total{job="redis",HERE}[$__rate_interval])',
            },
            "ops",
            below(0.01, 1),
            "Clients beyond the limit, and keys that were thrown away for want of memory.",
        ),
        timeseries(
            "lag",
            "Replica behind: under 1 MB",
            "max by (env) (redis_master_repl_offset{ENV}) - on (env) group_right () redis_slave_repl_offset{HERE}",
            "bytes",
            below(1048576, 67108864),
            "Bytes that a replica still lacks. Beyond the backlog of 64 MB it has to copy everything.",
        ),
        table(
            "members",
            "Who is what: one master, the others replicas",
            'sum by (instance, role, redis_version) (redis_instance_info{job="redis",ENV})',
            "none",
            NEUTRAL.because("always 1: the other columns tell"),
            "What each member says of itself.",
            legend="Up",
            width=24,
        ),
    ),
)
