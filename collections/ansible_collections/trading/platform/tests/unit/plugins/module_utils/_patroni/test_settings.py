# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cluster-wide settings: what a wanted document changes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._patroni import settings

HAVE = {
    "ttl": 15,
    "synchronous_mode": True,
    "postgresql": {"use_pg_rewind": True, "parameters": {"max_connections": 100, "wal_level": "replica"}},
}


@pytest.mark.parametrize(
    ("want", "patch"),
    [
        ({}, {}),
        ({"ttl": 15}, {}),
        ({"ttl": "15"}, {}),
        ({"ttl": 15.0}, {}),
        ({"ttl": 20}, {"ttl": 20}),
        ({"synchronous_mode": "on"}, {}),
        ({"synchronous_mode": False}, {"synchronous_mode": False}),
        ({"postgresql": {"parameters": {"max_connections": "100"}}}, {}),
        (
            {"postgresql": {"parameters": {"max_connections": 200, "wal_level": "replica"}}},
            {"postgresql": {"parameters": {"max_connections": 200}}},
        ),
        ({"ttl": None}, {"ttl": None}),
        ({"gone": None}, {}),
        (
            {"postgresql": {"parameters": {"wal_level": None, "gone": None}}},
            {"postgresql": {"parameters": {"wal_level": None}}},
        ),
        # In a new branch there is nothing to remove, and Patroni would keep the null.
        ({"standby_cluster": {"host": "x", "port": None}}, {"standby_cluster": {"host": "x"}}),
        ({"standby_cluster": {"port": None}}, {}),
        ({"slots": {}}, {"slots": {}}),
        ({"ttl": {"a": 1}}, {"ttl": {"a": 1}}),
        ({"postgresql": {"pg_hba": ["a"]}}, {"postgresql": {"pg_hba": ["a"]}}),
    ],
)
def test_patch(want: dict[str, Any], patch: dict[str, Any]) -> None:
    assert settings.patch_for(HAVE, want) == patch
    # Idempotent: after the patch nothing is left to do.
    assert settings.patch_for(settings.patched(HAVE, patch), want) == {}


@pytest.mark.parametrize(
    ("have", "want", "same"),
    [
        (True, "on", True),
        ("off", False, True),
        (1, True, True),
        (0.5, "0.5", True),
        ("64MB", "64MB", True),
        ("64MB", "65536kB", False),
        (["a", 1], ["a", "1"], True),
        (["a"], ["a", "b"], False),
        (["a"], "a", False),
        ({"a": 1}, {"a": "1"}, True),
        ({"a": 1}, {"b": 1}, False),
    ],
)
def test_same(have: Any, want: Any, same: bool) -> None:
    assert settings.same(have, want) is same


@pytest.mark.parametrize(
    ("patch", "names"),
    [
        ({}, []),
        ({"ttl": 20}, []),
        ({"postgresql": {"parameters": {"work_mem": "8MB", "max_connections": 200}}}, ["max_connections"]),
        ({"postgresql": {"parameters": {"shared_buffers": None}}}, ["shared_buffers"]),
    ],
)
def test_needs_restart(patch: dict[str, Any], names: list[str]) -> None:
    assert settings.needs_restart(patch) == names
