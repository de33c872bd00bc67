# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is: its record, its name, and which of them a host keeps."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
CONFIGURATION = re.compile(r"[0-9a-f]{8}")
SERVICE = re.compile(r"[a-z][a-z0-9-]{0,30}")
SECRET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
IMAGE = re.compile(r"([^@\s]+@)?sha256:[0-9a-f]{64}")
MEMORY = re.compile(r"[1-9][0-9]*[mg]")
MAX_SERVICES = 8
MAX_INSTANCES = 8
PORTS = range(1, 65536)


class ReleaseError(Exception):
    """Something that a person has to read. `details` go into the module's result."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


@dataclass(frozen=True)
class Service:
    name: str
    image: str
    command: tuple[str, ...] = ()
    instances: int = 1
    port: int | None = None
    ready: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    memory: str = "256m"
    cpus: float = 0.5
    pids: int = 256
    stop_timeout: int = 30


@dataclass(frozen=True)
class Record:
    version: str
    configuration: str
    services: tuple[Service, ...]
    created: str = ""

    @property
    def name(self) -> str:
        return f"{self.version}-{self.configuration}"

    def same(self, other: Record | None) -> bool:
        """Whether both are the same release, whenever they were written down."""
        return other is not None and replace(self, created="") == replace(other, created="")

    def scaled(self, instances: Mapping[str, int]) -> Record:
        unknown = sorted(set(instances) - {service.name for service in self.services})
        if unknown:
            there = names(service.name for service in self.services)
            raise ReleaseError(f"release {self.name} has no service {', '.join(unknown)}; it has {there}")
        return replace(
            self, services=tuple(replace(s, instances=instances.get(s.name, s.instances)) for s in self.services)
        )

    def silenced(self) -> list[str]:
        """Services that take requests, and have no instance that could. A record that is older may have some."""
        return [service.name for service in self.services if service.port is not None and not service.instances]

    def plain(self) -> dict[str, Any]:
        """As it stands in the file."""
        services = []
        for service in self.services:
            entry = asdict(service)
            entry |= {"env": dict(service.env), "command": list(service.command), "secrets": list(service.secrets)}
            # Releases from before there were health checks keep their names.
            entry["health"] = list(service.health)
            if not service.health:
                del entry["health"]
            services.append(entry)
        return {
            "name": self.name,
            "version": self.version,
            "configuration": self.configuration,
            "services": services,
            "created": self.created,
        }


def names(some: Iterable[str]) -> str:
    return ", ".join(some) or "none"


def whole(value: Any, allowed: range) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in allowed


def texts(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(one, str) for one in value)


CHECKS: dict[str, tuple[Any, str]] = {
    "name": (lambda v: isinstance(v, str) and SERVICE.fullmatch(v), "lower-case letters, digits and -"),
    "image": (lambda v: isinstance(v, str) and IMAGE.fullmatch(v), "by digest, registry/name@sha256:<64 hex digits>"),
    "command": (texts, "a list of strings"),
    "health": (texts, "a list of strings"),
    "instances": (lambda v: whole(v, range(MAX_INSTANCES + 1)), f"0 to {MAX_INSTANCES}"),
    "port": (lambda v: v is None or whole(v, PORTS), "a port, or null for what is not proxied"),
    "ready": (lambda v: v is None or (isinstance(v, str) and v.startswith("/")), "a path, or null"),
    "env": (
        lambda v: isinstance(v, Mapping) and all(isinstance(x, str) for pair in v.items() for x in pair),
        "strings by name",
    ),
    "secrets": (lambda v: texts(v) and all(SECRET.fullmatch(one) for one in v), "a list of file names"),
    "memory": (lambda v: isinstance(v, str) and MEMORY.fullmatch(v), "such as 256m or 1g"),
    "cpus": (lambda v: isinstance(v, (int, float)) and not isinstance(v, bool) and v > 0, "a number above 0"),
    "pids": (lambda v: whole(v, range(1, 1 << 20)), "a number above 0"),
    "stop_timeout": (lambda v: whole(v, range(1, 3601)), "seconds, 1 to 3600"),
}


def service_problems(entry: Any) -> list[str]:
    if not isinstance(entry, Mapping) or "name" not in entry or "image" not in entry:
        return [f"a service is a mapping with name and image, not {entry!r}"]
    where = f"service {entry['name']}"
    problems = [f"{where}: {key} is unknown" for key in sorted(set(entry) - set(CHECKS))]
    for key, (holds, wanted) in CHECKS.items():
        if key in entry and not holds(entry[key]):
            problems.append(f"{where}: {key} has to be {wanted}, not {entry[key]!r}")
    if entry.get("port") is not None and not entry.get("ready"):
        problems.append(f"{where}: has a port, so it needs the path ready that says when it may get requests")
    return problems


def record_problems(raw: Any) -> list[str]:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("services"), Sequence) or not raw["services"]:
        return ["a release is a mapping with version, configuration and a list of services"]
    problems = []
    for key, pattern, wanted in (
        ("version", VERSION, "letters, digits, . _ and -, 63 at most, beginning with a letter or digit"),
        ("configuration", CONFIGURATION, "8 hex digits"),
    ):
        if not isinstance(raw.get(key), str) or not pattern.fullmatch(raw[key]):
            problems.append(f"{key} has to be {wanted}, not {raw.get(key)!r}")
    if raw.get("name", f"{raw.get('version')}-{raw.get('configuration')}") != (
        f"{raw.get('version')}-{raw.get('configuration')}"
    ):
        problems.append(f"name {raw['name']!r} is not <version>-<configuration>")
    for entry in raw["services"]:
        problems += service_problems(entry)
    called = [entry["name"] for entry in raw["services"] if isinstance(entry, Mapping) and "name" in entry]
    problems += [f"service {name} is there twice" for name in sorted({n for n in called if called.count(n) > 1})]
    if len(called) > MAX_SERVICES:
        problems.append(f"{len(called)} services, at most {MAX_SERVICES} have addresses")
    return problems


def read_record(raw: Any) -> Record:
    problems = record_problems(raw)
    if problems:
        raise ReleaseError(f"malformed release: {'; '.join(problems)}")
    services = []
    for entry in raw["services"]:
        made = dict(entry)
        made["env"] = tuple(sorted(made.get("env", {}).items()))
        made |= {key: tuple(made.get(key, ())) for key in ("command", "secrets", "health")}
        made["cpus"] = float(made.get("cpus", 0.5))
        services.append(Service(**made))
    return Record(raw["version"], raw["configuration"], tuple(services), str(raw.get("created") or ""))


def compose(
    services: Sequence[Mapping[str, Any]],
    version: str,
    images: Mapping[str, str],
    env: Mapping[str, str],
    secrets: Mapping[str, str],
) -> dict[str, Any]:
    """A record from an inventory's variables. Everything but images and instances makes the configuration."""
    entries = []
    for service in services:
        entry = {**service, "env": {**env, **service.get("env", {})}}
        entry["image"] = images.get(str(service.get("image")), service.get("image"))
        missing = sorted(set(entry.get("secrets", ())) - set(secrets))
        if missing:
            raise ReleaseError(f"service {entry.get('name')}: no secret is called {', '.join(missing)}")
        entries.append(entry)
    read = read_record({"version": version, "configuration": "0" * 8, "services": entries})
    if read.silenced():
        raise ReleaseError(f"service {names(read.silenced())} takes requests, so it has at least one instance")
    draft = read.plain()
    told = [{key: entry[key] for key in entry if key not in ("image", "instances")} for entry in draft["services"]]
    hashes = {name: hashlib.sha256(content.encode()).hexdigest() for name, content in secrets.items()}
    configuration = digest([told, hashes])[:8]
    record = {**draft, "configuration": configuration, "name": f"{version}-{configuration}"}
    del record["created"]
    return record


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def find(records: Mapping[str, Record], wanted: str) -> Record:
    """By the full name, or by the version alone: then the newest one."""
    if wanted in records:
        return records[wanted]
    versions = [record for record in records.values() if record.version == wanted]
    if not versions:
        raise ReleaseError(
            f"release {wanted} is unknown on this host, nothing was touched; known are {names(sorted(records))}"
        )
    return max(versions, key=lambda record: record.created)


def known(records: Mapping[str, Record], history: Sequence[str]) -> list[str]:
    """All names: those that have served, the latest first, then those that never have, the newest first."""
    served = [name for name in dict.fromkeys(history) if name in records]
    never = sorted(set(records) - set(served), key=lambda name: records[name].created, reverse=True)
    return served + never


def dropped(records: Mapping[str, Record], history: Sequence[str], used: Iterable[str], keep: int) -> list[str]:
    """What falls out of the ones to keep. What runs is never among it."""
    keeping = set(known(records, history)[: max(keep, 1)]) | set(used)
    return [name for name in known(records, history) if name not in keeping]
