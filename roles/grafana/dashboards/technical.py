# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Technical operations: is every part well, and which one is next?"""

from __future__ import annotations

from .marks import BACKUPS, FAILOVERS, MASTERS, RELEASES
from .panels import NEUTRAL, Board, alerts, below, least, stat, table, timeseries

BOARD = Board(
    uid="technical",
    title="Technical operations",
    question="Is every part of the platform well, and has each room?",
    reading=(
        "The first place to look at when something is wrong. The top row counts what is down; the alerts below "
        "say what and lead "
        "to a runbook. Each graph is the short form of a dashboard of its own."
    ),
    marks=(RELEASES, FAILOVERS, MASTERS, BACKUPS),
    top=(
        stat(
            "targets",
            "Services that do not answer: 0",
            "sum(up{ENV} == bool 0)",
            "none",
            below(1),
            "Everything that Prometheus reads and cannot. Several of one host: the host. All of them: Prometheus "
            "or the network.",
        ),
        stat(
            "errors",
            "Answers 5xx: under 0.1 %",
            "max(app:availability:error_ratio_rate5m{ENV})",
            "percentunit",
            below(0.001, 0.01),
            "Share of requests with an error of ours in five minutes.",
            decimals=2,
        ),
        stat(
            "p95",
            "Answer, p95: under 100 ms",
            "max(app:latency:p95_5m{ENV})",
            "s",
            below(0.1, 0.5),
            "19 of 20 requests are answered faster.",
        ),
        stat(
            "cpu",
            "Busiest processor: under 80 %",
            "max(instance:cpu:utilisation_rate5m{ENV})",
            "percentunit",
            below(0.80, 0.95),
            "Of all hosts. HostCpuHigh tells at 80 %.",
            decimals=0,
        ),
        stat(
            "memory",
            "Fullest memory: under 80 %",
            "max(instance:memory:utilisation{ENV})",
            "percentunit",
            below(0.80, 0.90),
            "Of all hosts. HostMemoryHigh tells at 80 %.",
            decimals=0,
        ),
        stat(
            "disk",
            "Fullest disk: under 85 %",
            "max(instance:disk:utilisation{ENV})",
            "percentunit",
            below(0.80, 0.85),
            "Of all hosts. HostDiskFilling tells at 85 %.",
            decimals=0,
        ),
    ),
    body=(
        alerts("firing", "Alerts: none", "", "All that fires, by severity. Each one names its runbook.", width=12),
        table(
            "jobs",
            "Answering, by kind of service: 100 % each",
            # Tables hide job, which mostly says the same in every row.
            'label_join(job:up:ratio{ENV}, "kind", "", "job")',
            "percentunit",
            least(1, 0.6),
            "Which kind has members that do not answer.",
            legend="Answering",
        ),
        timeseries(
            "rate",
            "Requests a second by container: under 50",
            "trading_instance:requests:rate5m{ENV}",
            "reqps",
            below(50, 100),
            "At 50 one more container of the API is due: playbooks/scale.yml.",
            legend="{{instance}} {{service}} {{slot}}",
        ),
        timeseries(
            "queue",
            "Work that waits: under 10",
            "max(trading:queue:length{ENV})",
            "none",
            below(10, 100),
            "Jobs in the queue. At 10 for each worker one more is due.",
            legend="jobs",
        ),
        timeseries(
            "database",
            "PostgreSQL: transactions a second, and the replica's lag",
            {
                "{{instance}} transactions": "instance:postgres_transactions:rate5m{ENV}",
                "MB behind": "env:postgres_replication_lag_bytes:max{ENV} / 1048576",
            },
            "none",
            NEUTRAL.because("one limit cannot fit lines of different kinds"),
            "More in the dashboard PostgreSQL.",
        ),
        timeseries(
            "cache",
            "Redis: memory under 80 % of its limit",
            "instance:redis_memory:utilisation{ENV}",
            "percentunit",
            below(0.80, 0.90),
            "More in the dashboard Redis.",
        ),
    ),
)
