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


def ssh_files(hosts: Iterable[Mapping[str, Any]], directory: str) -> dict[str, str]:
    """The fleet's known_hosts and ssh_config, so that `ssh -F .fleet/demo/ssh_config db1` works as Ansible does."""
    known, aliases = [], []
    for host in sorted(hosts, key=lambda each: str(each["inventory_hostname"])):
        address = host["ansible_host"]
        for key in host["__fleet_reach"]["stdout"].splitlines():
            kind, material = key.split()[:2]
            known.append(f"{address} {kind} {material}\n")
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
