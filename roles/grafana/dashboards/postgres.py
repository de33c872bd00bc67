# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL: can everybody write, is the copy complete, and for how long will it go on?"""

from __future__ import annotations

from .marks import BACKUPS, FAILOVERS, RELEASES
from .panels import NEUTRAL, Board, below, exactly, least, stat, table, timeseries

BOARD = Board(
    uid="postgres",
    title="PostgreSQL",
    question="Can everybody write, and does a second host have every row?",
    reading=(
        "The top row is availability and safety: one primary, a standby without lag, room for connections. Below "
        "is what slowly "
        "becomes trouble: transactions that stay open, dead rows, the age of transaction ids, slots that hold "
        "WAL back."
    ),
    hosts="pg_up{ENV}",
    marks=(RELEASES, FAILOVERS, BACKUPS),
    top=(
        stat(
            "down",
            "Servers that do not answer: 0",
            "sum(pg_up{ENV} == bool 0)",
            "none",
            below(1),
            "Servers that the exporter cannot log in to.",
        ),
        stat(
            "primary",
            "Primaries: exactly 1",
            "sum(patroni_primary{ENV})",
            "none",
            exactly(1),
            "0: nobody can write. See the dashboard etcd and Patroni.",
        ),
        stat(
            "standby",
            "Synchronous standbys: 1",
            "sum(patroni_sync_standby{ENV})",
            "none",
            least(1),
            "Every acknowledged commit is on it too. 0 means that a failover now could lose rows, or that "
            "commits wait.",
        ),
        stat(
            "lag",
            "Replica behind: under 1 MB",
            "max(trading_pg_replication_lag_bytes{ENV})",
            "bytes",
            below(1048576, 16777216),
            "WAL that a standby has not applied. No data means that no standby is connected.",
        ),
        stat(
            "connections",
            "Connections: under 80 %",
            "max(trading_pg_connections_used{HERE} / trading_pg_connections_max{HERE})",
            "percentunit",
            below(0.80, 0.90),
            "Behind pgbouncer this should hardly move. PostgresConnectionsHigh tells at 80 %.",
            decimals=1,
        ),
        stat(
            "waiting",
            "Waiting for pgbouncer: 0",
            "sum(pgbouncer_pools_client_waiting_connections{ENV})",
            "none",
            below(1, 20),
            "Clients without a connection. During a switchover all of them wait for two seconds; else the pool "
            "is too small "
            "or transactions are too long.",
        ),
    ),
    body=(
        timeseries(
            "transactions",
            "Transactions a second: hardly any rolled back",
            {
                "{{instance}} commit": (
                    "sum by (instance) "
                    '(rate(pg_stat_database_xact_commit{HERE,datname!~"template.*"}[$__rate_interval]))'
                ),
                "{{instance}} rollback": (
                    "sum by (instance) "
                    '(rate(pg_stat_database_xact_rollback{HERE,datname!~"template.*"}[$__rate_interval]))'
                ),
            },
            "ops",
            NEUTRAL.because("one limit cannot fit lines of different kinds"),
            "The primary's are the market's. Many rollbacks are errors that the application swallows.",
        ),
        timeseries(
            "oldest",
            "Longest transaction: under 5 min",
            "trading_pg_oldest_transaction_seconds{HERE}",
            "s",
            below(300, 1800),
            "A transaction that stays open keeps dead rows, and holds locks. pg_stat_activity names it.",
        ),
        timeseries(
            "replication",
            "Replica behind: under 1 MB",
            "trading_pg_replication_lag_bytes{ENV}",
            "bytes",
            below(1048576, 16777216),
            "By standby. Growing without end: it is cut off, or its disk is slower than the primary's.",
            legend="{{application_name}} {{sync_state}}",
        ),
        timeseries(
            "slots",
            "WAL that slots hold back: under 1 GB",
            "trading_pg_slot_retained_bytes{HERE}",
            "bytes",
            below(1073741824, 8589934592),
            "A slot that nobody reads keeps WAL until it is given up. Runbook PostgresSlotRetainsWal.",
            legend="{{instance}} {{slot_name}}",
        ),
        timeseries(
            "cache",
            "Found in memory: over 99 %",
            "sum by (instance) (rate(pg_stat_database_blks_hit{HERE}[$__rate_interval])) / (sum by (instance) "
            "(rate(pg_stat_database_blks_hit{HERE}[$__rate_interval]))"
            " + sum by (instance) (rate(pg_stat_database_blks_read{HERE}[$__rate_interval])) > 0)",
            "percentunit",
            least(0.99, 0.95),
            "Pages that needed no disk. Falls after a restart, and when the data outgrows the memory.",
        ),
        timeseries(
            "pool",
            "pgbouncer: none waits",
            {
                "{{instance}} at work": "sum by (instance) (pgbouncer_pools_client_active_connections{ENV})",
                "{{instance}} waiting": "sum by (instance) (pgbouncer_pools_client_waiting_connections{ENV})",
            },
            "none",
            NEUTRAL.because("one limit cannot fit lines of different kinds"),
            "Clients with and without a server connection, by app host.",
        ),
        timeseries(
            "wraparound",
            "Age of transaction ids: under 500 million",
            "max by (instance) (trading_pg_database_xid_age{HERE})",
            "none",
            below(5e8, 1e9),
            "At 2 thousand million the server stops taking writes. Freezing runs by itself at 200 million; above "
            "that something blocks it.",
        ),
        table(
            "bloat",
            "Dead rows: no table over a fifth",
            "topk(10, trading_pg_table_dead_tuples{HERE} / (trading_pg_table_dead_tuples{HERE} + "
            "trading_pg_table_live_tuples{HERE} > 10000))",
            "percentunit",
            below(0.2, 0.5),
            "Tables of over 10,000 rows with most dead ones. Autovacuum clears them, unless a transaction or a "
            "slot keeps them.",
            legend="Dead",
            empty_when_good=True,
        ),
        timeseries(
            "size",
            "Size, growing slowly",
            'trading_pg_database_size_bytes{HERE,datname!~"template.*|postgres"}',
            "bytes",
            NEUTRAL.because("how large is too large is the disk's business"),
            "Of each database. Backups and a failback take longer with it.",
            legend="{{instance}} {{datname}}",
        ),
        timeseries(
            "locks",
            "Deadlocks and waits for a lock: none",
            {
                "{{instance}} deadlocks a minute": (
                    "60 * sum by (instance) (rate(pg_stat_database_deadlocks{HERE}[$__rate_interval]))"
                ),
                "{{instance}} longest wait, s": "max by (instance) (trading_pg_oldest_lock_wait_seconds{HERE})",
            },
            "none",
            below(1, 30),
            "Transactions that block each other.",
        ),
    ),
)
