# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.trading.platform.plugins.module_utils._site.patterns import limit_parts, resolve, unknown_parts

GROUPS = {
    "all": ["db1", "db2", "db3", "app1", "app2", "ops1.example.net"],
    "ungrouped": [],
    "db": ["db1", "db2", "db3"],
    "app": ["app1", "app2"],
    "ops": ["ops1.example.net"],
    "etcd": ["db1", "db2", "db3", "ops1.example.net"],
    "empty": [],
}
PATTERNS = [
    "all", "*", "db", "db1", "db,app", "db:app", "db:!db1", "etcd:&db", "etcd,!ops", "!db", "&etcd", "db[0]", "db[-1]",
    "db[0:1]", "db[1:]", "app*", "*.net", "~app[0-9]", "~(db|app)1", "empty", "nothing", "db*:!db[0]", "db, app1",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_same_hosts_as_ansible(pattern: str) -> None:
    manager = InventoryManager(DataLoader(), None, parse=False)
    for group, hosts in GROUPS.items():
        manager.add_group(group)
        for host in hosts:
            manager.add_host(host, group)
    assert sorted(resolve(pattern, GROUPS)) == sorted(host.name for host in manager.get_hosts(pattern))


@pytest.mark.parametrize(
    ("limit", "unknown"),
    [
        ("db1", []),
        ("db1,app", []),
        ("all:!db1", []),
        ("db:&etcd", []),
        ("db[0:1]", []),
        ("app*", []),
        ("~db\\d", []),
        ("empty", []),
        ("bd1", [("bd1", ["db1"])]),
        ("db1,ap1", [("ap1", ["app1", "app", "app2"])]),
        ("all:!ectd", [("!ectd", ["etcd"])]),
        ("all,&zzz", [("&zzz", [])]),
        ("web*", [("web*", [])]),
        ("db[7]", [("db[7]", ["db", "db3", "db2"])]),
        ("@hosts.txt", [("dbx", ["db", "db3", "db2"])]),
    ],
)
def test_unknown_parts_of_a_limit(limit: str, unknown: list[tuple[str, list[str]]]) -> None:
    parts = limit_parts(limit, GROUPS, lambda _path: "db1\ndbx\n")
    assert unknown_parts(parts, GROUPS) == unknown
