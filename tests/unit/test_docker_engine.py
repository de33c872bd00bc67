# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change of daemon.json needs, and which networks are taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from program import imported

TREE = Path(__file__).resolve().parents[2] / "roles/docker_host/templates/tree"
PROGRAM = TREE / "usr/local/lib/trading-platform/docker_engine.py"


engine: Any = imported(PROGRAM)
NOW = {"live-restore": True, "icc": False, "debug": False}


@pytest.mark.parametrize(
    ("started", "configured", "needed"),
    [
        (NOW, NOW, "nothing"),
        (NOW, {**NOW, "debug": True}, "reload"),
        (NOW, {**NOW, "registry-mirrors": ["https://mirror.example.com"]}, "reload"),
        ({**NOW, "labels": ["a=b"]}, NOW, "reload"),
        (NOW, {**NOW, "icc": True}, "restart"),
        (NOW, {**NOW, "debug": True, "log-driver": "local"}, "restart"),
        (NOW, {"live-restore": True, "debug": False}, "restart"),
        # An engine that was there before us.
        ({}, NOW, "restart"),
    ],
)
def test_an_engine_restarts_only_for_what_it_cannot_reload(
    started: dict[str, Any], configured: dict[str, Any], needed: str
) -> None:
    assert engine.verdict(started, configured) == needed


SETTINGS = {"bip": "10.213.128.1/24", "default-address-pools": [{"base": "10.213.128.0/17", "size": 24}]}


@pytest.mark.parametrize(
    ("route", "collides"),
    [
        ({"dst": "default", "dev": "eth0"}, []),
        ({"dst": "10.0.0.0/16", "dev": "eth0"}, []),
        ({"dst": "10.213.0.0/24", "dev": "trading0"}, []),
        ({"dst": "10.213.128.0/24", "dev": "docker0"}, []),
        ({"dst": "10.213.129.0/24", "dev": "br-0123456789ab"}, []),
        ({"dst": "10.213.200.0/24", "dev": "eth1"}, ["10.213.200.0/24 on eth1"]),
        ({"dst": "10.0.0.0/8", "dev": "tun0"}, ["10.0.0.0/8 on tun0"]),
        ({"dst": "10.213.128.7", "dev": "eth0"}, ["10.213.128.7/32 on eth0"]),
        ({"type": "unreachable", "dst": "10.213.0.0/16"}, ["10.213.0.0/16 on no device"]),
    ],
)
def test_a_network_that_the_host_routes_elsewhere_is_taken(route: dict[str, str], collides: list[str]) -> None:
    assert engine.collisions(SETTINGS, [route]) == collides


def test_the_bridge_counts_beside_the_pool() -> None:
    assert engine.collisions({"bip": "172.31.0.1/24"}, [{"dst": "172.31.0.0/20", "dev": "eth0"}]) == [
        "172.31.0.0/20 on eth0"
    ]
