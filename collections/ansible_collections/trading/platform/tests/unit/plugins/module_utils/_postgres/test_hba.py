# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._postgres.hba import HbaError, lines

GROUPS = {"app": ["app1", "app2"], "world": ["world1"]}
HOSTVARS = {
    "app1": {"ansible_host": "10.0.0.21"},
    "app2": {"ansible_host": "app2.example", "private_address": "10.0.0.22"},
    "world1": {"ansible_host": "world.example"},
}
FIXED = [
    "local all all peer",
    "hostssl replication replicator 10.0.0.31/32 scram-sha-256",
    "hostssl replication replicator fd00::2/128 scram-sha-256",
    "hostssl postgres rewind 10.0.0.31/32 scram-sha-256",
    "hostssl postgres rewind fd00::2/128 scram-sha-256",
]


def entry(**change: Any) -> dict[str, Any]:
    return {"databases": ["shop"], "roles": ["shop_app"], "sources": ["10.0.0.0/24"], **change}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], []),
        ([entry(sources=[])], []),
        ([entry()], ["hostssl shop shop_app 10.0.0.0/24 scram-sha-256"]),
        (
            [entry(databases=["shop", "all"], roles=["a", "b_1"], sources=["app"])],
            [
                "hostssl shop,all a,b_1 10.0.0.21/32 scram-sha-256",
                "hostssl shop,all a,b_1 10.0.0.22/32 scram-sha-256",
            ],
        ),
        ([entry(sources=["any"])], ["hostssl shop shop_app all scram-sha-256"]),
        # In the order given, because the first match decides.
        (
            [entry(roles=["z"], sources=["10.0.0.9"]), entry(roles=["a"], sources=["10.0.0.8"])],
            ["hostssl shop z 10.0.0.9/32 scram-sha-256", "hostssl shop a 10.0.0.8/32 scram-sha-256"],
        ),
    ],
)
def test_lines(entries: list[dict[str, Any]], expected: list[str]) -> None:
    assert lines(entries, ["10.0.0.31", "fd00::2"], GROUPS, HOSTVARS) == FIXED + expected


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (entry(method="trust"), "Write a mapping with databases, roles, sources"),
        ("host all all all trust", "Write a mapping with databases, roles, sources"),
        (entry(roles=["postgres"]), "roles: postgres is not let in over the network"),
        (entry(roles=["+admins"]), "'+admins' is no plain name"),
        (entry(roles=["a\nhost all all all trust"]), "is no plain name"),
        (entry(databases=[]), "databases is []. Write a list of names"),
        (entry(sources="app"), "sources is"),
        (entry(sources=["ap"]), "source ap is no group of this inventory"),
        (entry(sources=["world"]), "set private_address for that host"),
    ],
)
def test_refusals(wrong: Any, said: str) -> None:
    with pytest.raises(HbaError) as caught:
        lines([entry(), wrong], ["10.0.0.31"], GROUPS, HOSTVARS)
    assert said in str(caught.value)
    assert "entry 2 of postgres_hba" in str(caught.value)
