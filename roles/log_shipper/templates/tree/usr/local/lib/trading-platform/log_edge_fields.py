# Managed by Ansible, role log_shipper.
"""Where ECS has what programs say, and how values are written there. For log_edge.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

Document = dict[str, Any]

LEVELS = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
# What programs call their levels, as syslog does.
WORDS = {
    "fatal": "critical", "panic": "critical", "crit": "critical", "err": "error", "eror": "error", "warn": "warning",
    "log": "info", "information": "info", "hint": "info", "detail": "info", "statement": "info", "context": "info",
    "trace": "debug", "emerg": "emergency", "dpanic": "critical", "noise": "debug",
}  # fmt: skip


def level(word: object) -> str:
    low = str(word).strip().lower()
    return low if low in LEVELS else WORDS.get(low, "info")


@cache
def steps(path: str) -> tuple[tuple[str, ...], str]:
    *parents, last = path.split(".")
    return tuple(parents), last


def put(document: Document, path: str, value: object) -> None:
    """`http.request.id` as ECS has it; nothing where there is no value."""
    if value in (None, "", "-"):
        return
    parents, last = steps(path)
    for name in parents:
        document = document.setdefault(name, {})
    document[last] = value


def number(value: object) -> float | int | None:
    """nginx writes several for several upstreams, and - for none."""
    try:
        found = float(str(value).split(",")[-1].split(" : ")[-1])
    except ValueError:
        return None
    return int(found) if found.is_integer() else found


def moment(text: object) -> str:
    """As Elasticsearch stores times; nothing where it is none with a zone."""
    try:
        at = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return ""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z") if at.tzinfo else ""


# Keys of the programs' JSON lines, and where ECS has them. What is not listed lands in `fields`.
KEYS: Mapping[str, str] = {
    "request_id": "http.request.id", "method": "http.request.method", "path": "url.path", "route": "url.path",
    "host": "url.domain", "client": "client.ip", "peer": "source.ip", "user_agent": "user_agent.original",
    "user": "user.id", "user_id": "user.id", "release": "service.version", "instance": "service.node.name",
    "trace": "error.stack_trace", "trace_id": "trace.id", "caller": "log.origin.function", "logger": "log.logger",
    "protocol": "http.version", "tls": "tls.version",
}  # fmt: skip
NUMBERS: Mapping[str, tuple[str, float]] = {
    "status": ("http.response.status_code", 1), "bytes": ("http.response.body.bytes", 1),
    "ms": ("event.duration", 1e6), "total_ms": ("event.duration", 1e6), "seconds": ("event.duration", 1e9),
}  # fmt: skip
TEXTS: Mapping[str, tuple[str, Callable[[object], str]]] = {
    "time": ("@timestamp", moment), "ts": ("@timestamp", moment), "timestamp": ("@timestamp", moment),
    "level": ("log.level", level), "severity": ("log.level", level),
    "message": ("message", str), "msg": ("message", str), "service": ("service.name", str),
}  # fmt: skip


def known(key: str, value: object, document: Document) -> bool:
    """Whether ECS has a place for it, where it is then."""
    if key in KEYS:
        put(document, KEYS[key], value if isinstance(value, str) or value is None else json.dumps(value))
    elif key in NUMBERS:
        path, factor = NUMBERS[key]
        found = number(value)
        put(document, path, int(found * factor) if found is not None else None)
    elif key in TEXTS:
        path, made = TEXTS[key]
        put(document, path, made(value))
    else:
        return False
    return True
