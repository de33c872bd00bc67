# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines across all panels where something was done. Prometheus knows when, so nobody has to tell Grafana."""

from __future__ import annotations

from .panels import Mark

# What is now and was not a minute ago, as these are asked for every minute.
RELEASES = Mark(
    "releases",
    "Releases",
    "purple",
    "release {{release}}",
    "count by (release) (app_build_info{ENV}) unless count by (release) (app_build_info{ENV} offset 1m)",
)
# Each promotion begins a timeline, a switchover's as well.
FAILOVERS = Mark(
    "failovers",
    "Failovers and switchovers",
    "orange",
    "new primary of {{scope}}",
    "max by (env, scope) (patroni_postgres_timeline{ENV})"
    " > max by (env, scope) (patroni_postgres_timeline{ENV} offset 1m)",
)
MASTERS = Mark(
    "masters",
    "Redis' masters",
    "orange",
    "{{instance}} is Redis' master",
    'count by (env, instance) (redis_instance_info{job="redis",role="master",ENV})'
    ' unless count by (env, instance) (redis_instance_info{job="redis",role="master",ENV} offset 1m)',
)
BACKUPS = Mark(
    "backups",
    "Backups of the database",
    "blue",
    "backup ended: {{schedule}} on {{instance}}",
    "trading_backup_last_end_timestamp_seconds{ENV} * 1000",
    is_time=True,
)
DRILLS = Mark(
    "drills",
    "Drills",
    "green",
    "drill ended on {{instance}}",
    "trading_drill_last_end_timestamp_seconds{ENV} * 1000",
    is_time=True,
)
