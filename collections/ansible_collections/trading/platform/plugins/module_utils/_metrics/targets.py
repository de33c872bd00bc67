# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is scraped and how it is reached: Prometheus' scrape configs, and the front of each host. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

KEYS = frozenset({
    "host", "role", "job", "name", "port", "address", "scheme", "path", "command", "timeout", "params", "labels",
    "direct",
})  # fmt: skip
LAST_PORT = 65535
NAME = re.compile(r"[a-z][a-z0-9_]*")
# Labels that the platform sets itself; a target that brings its own would pass for another.
OURS = ("job", "instance", "env")


class TargetError(ValueError):
    """Targets that cannot be scraped; the message lists every problem."""


def checked(targets: Sequence[Any], hosts: Sequence[str]) -> list[dict[str, Any]]:
    """The targets, where nothing is wrong with them."""
    problems: list[str] = []
    seen: set[object] = set()
    for target in targets:
        found = ", and ".join(_problems(target, hosts))
        if not found:
            key = (target["job"], target["host"], _name(target), *sorted((target.get("labels") or {}).items()))
            if key in seen:
                found = "published twice; give one of them a name and a label of its own"
            seen.add(key)
        if found:
            problems.append(f"{_where(target)}: {found}")
    if problems:
        raise TargetError("; ".join(problems))
    return [dict(target) for target in targets]


def _where(target: Any) -> str:
    if not isinstance(target, Mapping):
        return f"scrape target {target!r}"
    by = f" of role {target['role']}" if target.get("role") else ""
    return f"scrape target {target.get('job')!r}{by} on {target.get('host')!r}"


def _problems(target: Any, hosts: Sequence[str]) -> Iterator[str]:
    if not isinstance(target, Mapping):
        yield "is no mapping"
        return
    if unknown := sorted(set(target) - KEYS):
        yield f"has no key {', '.join(unknown)}; there are {', '.join(sorted(KEYS))}"
    if not isinstance(target.get("job"), str) or not NAME.fullmatch(target["job"]):
        yield "its job must be a name of small letters, digits and _"
    elif not NAME.fullmatch(_name(target)):
        yield f"its name {_name(target)!r} must be of small letters, digits and _"
    if target.get("host") not in hosts:
        yield "its host is not in the inventory"
    if not target.get("command") and not _port(target.get("port")):
        yield "it needs a port from 1 to 65535, or a command"
    if wrong := sorted(set(target.get("labels") or {}).intersection(OURS)):
        yield f"the platform sets the label {', '.join(wrong)} itself"


def _port(value: object) -> bool:
    return str(value).isdigit() and 0 < int(str(value)) <= LAST_PORT


def _name(target: Mapping[str, Any]) -> str:
    """How the front of the host calls it."""
    return str(target.get("name") or target.get("job"))


def scrape_configs(
    targets: Sequence[Any],
    addresses: Mapping[str, str],
    front: Mapping[str, Any],
    direct: Mapping[str, Any],
    labels: Mapping[str, str],
) -> list[dict[str, Any]]:
    """One for each job. front: port, path and tls_config by which all but direct targets are reached; direct: what
    the configs of the others hold besides. labels: on every series."""
    jobs: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for target in checked(targets, list(addresses)):
        straight = bool(target.get("direct"))
        jobs.setdefault((target["job"], straight), []).append(_static(target, addresses, front, labels, straight))
    if both := sorted({job for job, straight in jobs if (job, not straight) in jobs}):
        raise TargetError(
            f"job {', '.join(both)}: some of its targets are direct and some are not; give these another job"
        )
    through = {"scheme": "https", "metrics_path": front["path"], "tls_config": front["tls_config"]}
    return [
        {"job_name": job, **(direct if straight else through), "static_configs": statics}
        for (job, straight), statics in jobs.items()
    ]


def _static(
    target: Mapping[str, Any],
    addresses: Mapping[str, str],
    front: Mapping[str, Any],
    labels: Mapping[str, str],
    straight: bool,
) -> dict[str, Any]:
    host = target["host"]
    marks: dict[str, str] = {"instance": host, **labels}
    if straight:
        marks["__metrics_path__"] = str(target.get("path") or "/metrics")
    else:
        marks["__param_module"] = _name(target)
    marks |= {f"__param_{name}": str(value) for name, value in (target.get("params") or {}).items()}
    marks |= {str(name): str(value) for name, value in (target.get("labels") or {}).items()}
    port = target["port"] if straight else front["port"]
    address = addresses[host]
    return {"targets": [f"[{address}]:{port}" if ":" in address else f"{address}:{port}"], "labels": marks}


def front_modules(targets: Sequence[Any], certificate: str) -> dict[str, Any]:
    """What the front of one host passes on, by name. certificate: directory of the one it shows to services by TLS."""
    modules: dict[str, Any] = {}
    for target in targets:
        if target.get("direct"):
            continue
        module = _module(target, certificate)
        if modules.setdefault(_name(target), module) != module:
            raise TargetError(
                f"{_where(target)}: {_name(target)!r} is something else already; give it a name of its own"
            )
    return modules


def _module(target: Mapping[str, Any], certificate: str) -> dict[str, Any]:
    if target.get("command"):
        program, *arguments = target["command"]
        limit = target.get("timeout") or "4s"
        return {"method": "exec", "timeout": limit, "exec": {"command": program, "args": arguments}}
    tls = {
        "tls_ca_cert_file": f"{certificate}/ca.pem",
        "tls_cert_file": f"{certificate}/fullchain.pem",
        "tls_key_file": f"{certificate}/key.pem",
    }
    http = {
        "address": target.get("address") or "127.0.0.1",
        "port": int(target["port"]),
        "scheme": target.get("scheme") or "http",
        "path": target.get("path") or "/metrics",
        # Prometheus looks at what it gets; a second look by the front would cost as much again.
        "verify": False,
        **(tls if target.get("scheme") == "https" else {}),
    }
    return {"method": "http", "timeout": target.get("timeout") or "4s", "http": http}
