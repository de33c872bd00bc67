from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._fleet import files


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([{}], ["bookworm baked"]),
        ([{"fleet_image": "trixie bare"}, {}, {"fleet_image": "trixie bare"}], ["bookworm baked", "trixie bare"]),
    ],
)
def test_images(hosts: list[dict[str, Any]], expected: list[str]) -> None:
    assert files.images(hosts, "bookworm baked") == expected


def test_ports_are_published_on_loopback_only() -> None:
    assert files.loopback_ports([{"host": 8443, "container": 443}]) == ["127.0.0.1:8443:443"]


def test_ssh_files_pin_every_key_of_every_host() -> None:
    hosts = [
        {
            "inventory_hostname": "db2",
            "ansible_host": "10.0.0.2",
            "__fleet_reach": {"stdout": "ssh-ed25519 BBB root@db2"},
        },
        {
            "inventory_hostname": "db1",
            "ansible_host": "10.0.0.1",
            "__fleet_reach": {"stdout": "ssh-ed25519 AAA x\nssh-rsa CCC x"},
        },
    ]
    written = files.ssh_files(hosts, "/fleet dir")
    assert written["known_hosts"] == "10.0.0.1 ssh-ed25519 AAA\n10.0.0.1 ssh-rsa CCC\n10.0.0.2 ssh-ed25519 BBB\n"
    assert "Host db1\n  HostName 10.0.0.1\n" in written["ssh_config"]
    assert 'UserKnownHostsFile "/fleet dir/known_hosts"' in written["ssh_config"]
    assert "StrictHostKeyChecking yes" in written["ssh_config"]


def test_a_host_out_of_reach_keeps_its_pinned_keys() -> None:
    hosts: list[dict[str, Any]] = [
        {"inventory_hostname": "db1", "ansible_host": "10.0.0.1", "__fleet_reach": {"stdout": "ssh-ed25519 NEW x"}},
        {"inventory_hostname": "db2", "ansible_host": "10.0.0.2"},
    ]
    pinned = "10.0.0.1 ssh-ed25519 OLD\n10.0.0.2 ssh-ed25519 KEPT\n10.0.0.9 ssh-ed25519 GONE\n"
    written = files.ssh_files(hosts, "/fleet", pinned)
    assert written["known_hosts"] == "10.0.0.1 ssh-ed25519 NEW\n10.0.0.2 ssh-ed25519 KEPT\n"
