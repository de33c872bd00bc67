# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker: does every engine run its containers, and do they stay up?"""

from __future__ import annotations

from .marks import RELEASES
from .panels import NEUTRAL, Board, below, stat, table, timeseries

BOARD = Board(
    uid="docker",
    title="Docker",
    question="Does every engine answer, and do its containers stay up?",
    reading=(
        "Containers that start again and again show as starts, not as stopped ones: look at that line first. An "
        "engine that does "
        "not answer keeps its containers (live-restore) but nobody can release to it."
    ),
    hosts="engine_daemon_engine_info{ENV}",
    marks=(RELEASES,),
    top=(
        stat(
            "down",
            "Engines that do not answer: 0",
            'sum(up{job="docker",ENV} == bool 0)',
            "none",
            below(1),
            "Containers go on without it. systemctl status docker on the host.",
        ),
        stat(
            "running",
            "Containers running, as planned",
            'sum(engine_daemon_container_states_containers{HERE,state="running"})',
            "none",
            NEUTRAL.because("how many are planned is the inventory's business"),
            "All hosts together. playbooks/resource_usage.yml lists them.",
        ),
        stat(
            "paused",
            "Containers paused: 0",
            'sum(engine_daemon_container_states_containers{HERE,state="paused"})',
            "none",
            below(1),
            "A paused container answers nobody and looks alive.",
        ),
        stat(
            "unhealthy",
            "Failed health checks in an hour: under 5",
            "sum(increase(engine_daemon_health_checks_failed_total{HERE}[1h]))",
            "none",
            below(5, 50),
            "Checks of the containers by the engine. A few during a release are usual.",
            decimals=0,
        ),
    ),
    body=(
        timeseries(
            "states",
            "Containers by state, steady",
            "sum by (instance, state) (engine_daemon_container_states_containers{HERE})",
            "none",
            NEUTRAL.because("one limit cannot fit lines of different kinds"),
            "A release adds some and takes as many away. Stopped ones are the way back of a rollback.",
            legend="{{instance}} {{state}}",
        ),
        timeseries(
            "starts",
            "Starts in ten minutes: under 5 outside releases",
            'increase(engine_daemon_container_actions_seconds_count{HERE,action="start"}[10m])',
            "none",
            below(5, 20),
            "A container that crashes is started again by the engine, each time more slowly. Purple lines are "
            "releases.",
        ),
        table(
            "containers",
            "Containers: each running, none restarted",
            {
                "Running": "trading_container_running{HERE}",
                "Unhealthy": "trading_container_unhealthy{HERE}",
                "Restarts": "trading_container_restarts{HERE}",
            },
            "none",
            NEUTRAL.because("columns of different kinds, each with its own good value"),
            "By name. Restarts are the engine's own, after a crash; docker logs NAME says why.",
        ),
        timeseries(
            "slow",
            "The engine takes: under 5 s to start a container",
            'rate(engine_daemon_container_actions_seconds_sum{HERE,action="start"}[1h])'
            ' / (rate(engine_daemon_container_actions_seconds_count{HERE,action="start"}[1h]) > 0)',
            "s",
            below(5, 30),
            "Empty where nothing was started in an hour. Slow starts are a slow disk or a host without room.",
            empty_when_good=True,
        ),
    ),
)
