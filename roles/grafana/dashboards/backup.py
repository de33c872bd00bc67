# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup and disaster recovery: what would be lost now, and does a restore work?"""

from __future__ import annotations

from .marks import BACKUPS, DRILLS
from .panels import NEUTRAL, Board, below, least, stat, table, timeseries

BOARD = Board(
    uid="backup",
    title="Backup and DR",
    question="What would be lost if the data centre burned now, and has a restore been proven lately?",
    reading=(
        "The age of the last good backup and of the archive say what would be lost; the last drill says whether "
        "it could be "
        "brought back, and how long that took. A backup that was never restored is a hope: a red drill is as bad "
        "as a red backup."
    ),
    marks=(BACKUPS, DRILLS),
    top=(
        stat(
            "age",
            "DB backup: under 26 h ago",
            'min(time() - trading_backup_last_success_timestamp_seconds{ENV,schedule!="verify"})',
            "s",
            below(93600, 180000),
            "Since the newest complete set of any schedule. Runbook BackupFullOld.",
        ),
        stat(
            "archive",
            "Archive of WAL: failures 0",
            "sum(increase(trading_pg_archiver_failed{ENV}[1h]))",
            "none",
            below(1, 10),
            "Segments that could not be archived in an hour. What is not archived is lost with the host.",
            decimals=0,
        ),
        stat(
            "drill",
            "Last drill: passed",
            "min(trading_drill_ok{ENV})",
            "none",
            least(1),
            "Whether the last rehearsal of a restore ended well. What failed is in its report on the host that "
            "rehearsed.",
            words={0: "failed", 1: "passed"},
        ),
        stat(
            "overdue",
            "Drill: under 8 days ago",
            "min(time() - trading_drill_last_success_timestamp_seconds{ENV})",
            "s",
            below(691200, 3024000),
            "Since the last drill that passed. One a month is the least, the schedule has one a week.",
        ),
        stat(
            "rto",
            "Time to recover: under 15 min",
            "max(trading_drill_rto_seconds{ENV})",
            "s",
            below(900, 1800),
            "What the last drill took from nothing to a database that answers. 15 minutes are promised.",
        ),
        stat(
            "rpo",
            "Data at risk: under 5 min",
            "max(trading_drill_rpo_seconds{ENV})",
            "s",
            below(300, 3600),
            "How far behind the last rehearsed restore was. 5 minutes are promised.",
        ),
    ),
    body=(
        table(
            "schedules",
            "Backups of the database: each schedule well",
            {
                "Well": "trading_backup_ok{ENV}",
                "Age, s": "time() - trading_backup_last_success_timestamp_seconds{ENV}",
                "Took, s": "trading_backup_duration_seconds{ENV}",
            },
            "none",
            NEUTRAL.because("columns of different kinds, each with its own good value"),
            "The last run of each schedule by host. Only the host that made the last set has it; 0 under Well is "
            "a failure. verify reads all that there is.",
            width=24,
        ),
        table(
            "files",
            "Copies of files: each set well",
            {
                "Well": "trading_files_backup_ok{ENV}",
                "Age, s": "time() - trading_files_backup_last_success_timestamp_seconds{ENV}",
            },
            "none",
            NEUTRAL.because("columns of different kinds, each with its own good value"),
            "What hosts copy of their own: Redis, etcd, certificates, releases. One that fails does not keep the "
            "others.",
        ),
        timeseries(
            "sizes",
            "Size of a set, growing slowly",
            "max by (schedule) (trading_backup_size_bytes{ENV})",
            "bytes",
            NEUTRAL.because("good is what it was before: BackupShrunk compares"),
            "A set that is suddenly small has lost something; one that is suddenly large costs time at a restore.",
            legend="{{schedule}}",
        ),
        timeseries(
            "durations",
            "A backup takes: under an hour",
            'max by (schedule) (trading_backup_duration_seconds{ENV,schedule!="verify"})',
            "s",
            below(3600, 14400),
            "How long the last run of each schedule took.",
            legend="{{schedule}}",
        ),
        timeseries(
            "wal",
            "Archived segments, as usual",
            "sum by (instance) (rate(trading_pg_archiver_archived{ENV}[$__rate_interval]))",
            "ops",
            NEUTRAL.because("good follows from how much is written: PostgresArchiveStale compares"),
            "Segments of WAL that reached the repository, by the primary. Zero under writes is the beginning of a gap.",
        ),
    ),
)
