# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet of containers needs on the controller, computed from its hosts' variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def images(hosts: Iterable[Mapping[str, Any]], default: str) -> list[str]:
    """Every image that the hosts ask for, once."""
    return sorted({host.get("fleet_image", default) for host in hosts})


def loopback_ports(ports: Iterable[Mapping[str, int]]) -> list[str]:
    """Docker's notation, never on an address that another machine could reach."""
    return [f"127.0.0.1:{port['host']}:{port['container']}" for port in ports]


def ssh_files(hosts: Iterable[Mapping[str, Any]], directory: str, pinned: str = "") -> dict[str, str]:
    """The fleet's known_hosts and ssh_config, so that `ssh -F .fleet/demo/ssh_config db1` works as Ansible does.

    A host that this run did not reach keeps the keys that were pinned before.
    """
    known, aliases = [], []
    for host in sorted(hosts, key=lambda each: str(each["inventory_hostname"])):
        address = host["ansible_host"]
        if "__fleet_reach" in host:
            keys = [line.split()[:2] for line in host["__fleet_reach"]["stdout"].splitlines()]
        else:
            keys = [line.split()[1:] for line in pinned.splitlines() if line.split()[0] == address]
        known += [f"{address} {kind} {material}\n" for kind, material in keys]
        aliases.append(f"Host {host['inventory_hostname']}\n  HostName {address}\n")
    everyone = (
        "Host *\n"
        "  User ansible\n"
        f'  IdentityFile "{directory}/id_ed25519"\n'
        "  IdentitiesOnly yes\n"
        f'  UserKnownHostsFile "{directory}/known_hosts"\n'
        "  GlobalKnownHostsFile none\n"
        "  StrictHostKeyChecking yes\n"
    )
    return {"known_hosts": "".join(known), "ssh_config": "".join([*aliases, everyone])}
