# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where containers live: colours, addresses, names, and all that one is made from."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .records import MAX_INSTANCES, MAX_SERVICES, Record, ReleaseError, Service, digest

COLOURS = ("blue", "green")
FIRST = {"blue": 16, "green": 144}
HIGHEST = 24
Slot = tuple[str, str]
LABEL = "trading.platform"
TAGS = "trading.platform"
CONFIG = "/etc/trading-platform/app/config"
# What the engine is told besides the record. A change of it makes every container a different one.
HARDENING: dict[str, Any] = {
    "user": "10001:10001",
    "read_only": True,
    "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=64m"},  # noqa: S108 - the container's own
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "stop_signal": "SIGTERM",
}
# How often the engine asks a container by its service's `health`, in seconds; each asking is a process in it. What
# fails while it starts does not count. So many in a row make it unhealthy: an alert says so, and nothing restarts it.
HEALTH = {"interval": 30, "timeout": 10, "start_period": 60, "retries": 3}


@dataclass(frozen=True)
class Spec:
    """One container."""

    name: str
    release: str
    colour: str
    service: str
    instance: int
    address: str
    image: str
    command: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    secrets: tuple[tuple[str, str], ...]
    health: tuple[str, ...]
    memory: str
    cpus: float
    pids: int
    stop_timeout: int
    port: int | None
    ready: str | None

    @functools.cached_property
    def digest(self) -> str:
        made = asdict(self)
        health = made.pop("health")
        # A container without one is what it was before there were any.
        return digest([made, HARDENING, *([health, HEALTH] if health else [])])[:16]

    @property
    def slot(self) -> Slot:
        return slot_of(self.name)

    @property
    def labels(self) -> dict[str, str]:
        return {
            f"{LABEL}.release": self.release,
            f"{LABEL}.colour": self.colour,
            f"{LABEL}.service": self.service,
            f"{LABEL}.instance": str(self.instance),
            f"{LABEL}.spec": self.digest,
        }


def slot_of(container: str) -> Slot:
    """Where haproxy has it: backend and server."""
    _trading, colour, rest = container.split("-", 2)
    service, _dash, instance = rest.rpartition("-")
    return f"{service}_{colour}", f"slot{instance}"


def name_of(slot: Slot) -> str:
    service, _line, colour = slot[0].rpartition("_")
    return f"trading-{colour}-{service}-{slot[1].removeprefix('slot')}"


def other(colour: str) -> str:
    return "green" if colour == "blue" else "blue"


def address(subnet: str, colour: str, service_index: int, instance: int) -> str:
    """Fixed for ever: haproxy's configuration names it before a container is there."""
    network = ipaddress.ip_network(subnet)
    if network.version != 4 or network.prefixlen > HIGHEST:  # noqa: PLR2004
        raise ReleaseError(f"{subnet} has no room for two sets: an IPv4 network of /{HIGHEST} or larger is needed")
    if not 0 <= service_index < MAX_SERVICES or not 1 <= instance <= MAX_INSTANCES:
        raise ReleaseError(
            f"no address for service {service_index}, instance {instance}: "
            f"services are 0 to {MAX_SERVICES - 1}, instances 1 to {MAX_INSTANCES}"
        )
    return str(network.network_address + FIRST[colour] + service_index * MAX_INSTANCES + instance)


def slots(services: Sequence[Mapping[str, Any]], subnet: str, instances: int) -> dict[str, dict[str, Any]]:
    """For haproxy.cfg: the address of each slot, by service and colour."""
    return {
        str(service["name"]): {
            "port": service.get("port"),
            **{
                colour: [address(subnet, colour, index, number) for number in range(1, instances + 1)]
                for colour in COLOURS
            },
        }
        for index, service in enumerate(services)
    }


def local_tag(release: str, service: str) -> str:
    """The name that a release keeps its image by. Pulled by digest alone an image shows as <none> and gets pruned; and
    a name whose first part no registry can have is never looked for at Docker Hub."""
    return f"{TAGS}/{service}:{release}"


def specs(record: Record, colour: str, subnet: str) -> tuple[Spec, ...]:
    return tuple(
        spec(record, colour, subnet, index, number)
        for index, service in enumerate(record.services)
        for number in range(1, service.instances + 1)
    )


def spec(record: Record, colour: str, subnet: str, index: int, number: int) -> Spec:
    service: Service = record.services[index]
    env = dict(service.env) | {"RELEASE": record.name, "SERVICE": service.name, "INSTANCE": str(number)}
    return Spec(
        name=f"trading-{colour}-{service.name}-{number}",
        release=record.name,
        colour=colour,
        service=service.name,
        instance=number,
        address=address(subnet, colour, index, number),
        image=service.image,
        command=service.command,
        env=tuple(sorted(env.items())),
        secrets=tuple((name, f"{CONFIG}/{record.configuration}/{name}") for name in service.secrets),
        health=service.health,
        memory=service.memory,
        cpus=service.cpus,
        pids=service.pids,
        stop_timeout=service.stop_timeout,
        port=service.port,
        ready=service.ready,
    )
