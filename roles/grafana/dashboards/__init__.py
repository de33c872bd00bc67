# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboards, from typed Python. `python -m roles.grafana.dashboards --help` says what can be done with them."""

from __future__ import annotations

from . import app, backup, docker, edge, etcd, executive, hosts, logs, postgres, redis, security, slo, technical
from .panels import Board

# In the order of the handbook: from the question of many to the question of few.
BOARDS: tuple[Board, ...] = (
    executive.BOARD,
    technical.BOARD,
    security.BOARD,
    slo.BOARD,
    edge.BOARD,
    app.BOARD,
    postgres.BOARD,
    redis.BOARD,
    etcd.BOARD,
    hosts.BOARD,
    docker.BOARD,
    backup.BOARD,
    logs.BOARD,
)
