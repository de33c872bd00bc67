# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs pipeline: does every line arrive, and how long could it wait?"""

from __future__ import annotations

from .marks import RELEASES
from .panels import NEUTRAL, Board, below, least, stat, timeseries
from .panels import logs as newest

BOARD = Board(
    uid="logs",
    title="Logs pipeline",
    question="Does every line arrive, and is there room for when it cannot?",
    reading=(
        "A line goes from the journal through rsyslog on its host to the collector and into Elasticsearch; each "
        "hop keeps on disk what the next one does not take: a host in its journal, the collector in its spool. "
        "What waits costs nothing until a disk is full."
    ),
    marks=(RELEASES,),
    top=(
        stat(
            "refused",
            "Lines refused in a day: 0",
            'sum(increase(trading_log_store_documents_total{ENV,result="refused"}[1d]))',
            "none",
            below(1, 1000),
            "Lines that Elasticsearch would not take; they are in the collector's error file.",
            decimals=0,
        ),
        stat(
            "queue",
            "Waiting at the collector: under 100 MB",
            "max(trading_log_store_waiting_bytes{ENV})",
            "bytes",
            below(1e8, 1e9),
            "What Elasticsearch has not taken yet. It lies on disk and is sent by itself once Elasticsearch is back.",
        ),
        stat(
            "stored",
            "Last line: under 60 s ago",
            "time() - min(trading_log_store_last_success_timestamp_seconds{ENV})",
            "s",
            below(60, 300),
            "There is always a line to store. Longer: Elasticsearch does not answer, or the collector stands still.",
        ),
        stat(
            "cluster",
            "Elasticsearch: green or yellow",
            'max(elasticsearch_cluster_health_status{ENV,color="red"})',
            "none",
            below(1),
            "Red: some data cannot be read or written. One node alone is yellow, for it has nowhere to put a copy.",
            words={0: "well", 1: "red"},
        ),
        stat(
            "disk",
            "Disk of Elasticsearch: over 20 % free",
            "min(elasticsearch_filesystem_data_available_bytes{ENV} / elasticsearch_filesystem_data_size_bytes{ENV})",
            "percentunit",
            least(0.2, 0.1),
            "Under 5 % Elasticsearch makes everything read-only.",
            decimals=0,
        ),
    ),
    body=(
        timeseries(
            "waiting",
            "Waiting at the collector: falls back to nothing",
            "sum by (instance) (trading_log_store_waiting_bytes{ENV})",
            "bytes",
            below(1e8, 1e9),
            "A hill is an Elasticsearch that was away; it has to go down by itself.",
            legend="{{instance}}",
        ),
        timeseries(
            "rate",
            "Lines a second, as usual: created",
            "sum by (result) (rate(trading_log_store_documents_total{ENV}[$__rate_interval]))",
            "ops",
            NEUTRAL.because("one limit cannot fit lines of different kinds"),
            "What became of them. Known ones came twice after a fault and are stored once; refused and strange ones "
            "are in the collector's file.",
            legend="{{result}}",
        ),
        timeseries(
            "heap",
            "Memory of Elasticsearch: under 80 %",
            'elasticsearch_jvm_memory_used_bytes{ENV,area="heap"} / '
            'elasticsearch_jvm_memory_max_bytes{ENV,area="heap"}',
            "percentunit",
            below(0.80, 0.95),
            "A saw is healthy. A flat line at the top is a heap that is too small: see the role's README.",
        ),
        timeseries(
            "rejected",
            "Requests that Elasticsearch turns away: none",
            "sum by (type) (rate(elasticsearch_thread_pool_rejected_count{ENV}[$__rate_interval])) > 0",
            "ops",
            below(0.1, 5),
            "The queues in front of it keep what is turned away, and send it again.",
            legend="{{type}}",
            empty_when_good=True,
        ),
        newest(
            "errors",
            "Newest errors: none you do not know",
            "log.level:(error OR critical OR alert OR emergency)",
            "Of all services, newest first.",
        ),
    ),
)
