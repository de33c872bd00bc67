# Managed by Ansible, role log_shipper.
"""What the hosts' programs write, read into a document's fields: a parser for each kind of line. For log_edge.py."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from log_edge_fields import Document, known, level, put


def json_line(text: str, document: Document) -> bool:
    """The app, nginx, haproxy, etcd: an object in a line."""
    if not text.startswith("{"):
        return False
    try:
        said = json.loads(text)
    except ValueError:
        return False
    if not isinstance(said, dict):
        return False
    rest: Document = {}
    for key, value in said.items():
        if not known(str(key), value, document) and value not in (None, "", "-"):
            rest[str(key)[:100]] = value if isinstance(value, str) else json.dumps(value)
    if rest:
        document["fields"] = rest
    if "message" not in document:
        request = (document.get("http", {}).get("request", {}).get("method"), document.get("url", {}).get("path"))
        document["message"] = " ".join(word for word in request if word) or text
    return True


# %m [%p] %q%u@%d/%a %h, as roles/postgres sets it, then the severity. The middle is missing where a process of the
# server's own speaks.
POSTGRES = re.compile(
    r"^(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC \[(?P<pid>\d+)\] "
    r"(?:(?P<user>[^@ ]*)@(?P<database>[^/ ]*)/(?P<app>.*?) (?P<client>[0-9a-f.:]+|\[local\]) )?"
    r"(?P<level>[A-Z]+\d?):\s+(?P<text>.*)$",
    re.DOTALL,
)
REQUEST = re.compile(r"/\*.{0,200}?request_id=([\w.-]{1,128})")


def postgres(text: str, document: Document) -> bool:
    found = POSTGRES.match(text)
    if not found:
        return False
    put(document, "@timestamp", found["at"].replace(" ", "T") + "Z")
    put(document, "process.pid", int(found["pid"]))
    put(document, "log.level", level(found["level"].rstrip("12345")))
    put(document, "message", found["text"])
    put(document, "service.name", "postgresql")
    put(document, "user.name", found["user"])
    put(document, "postgresql.database", found["database"])
    put(document, "postgresql.application", found["app"])
    if found["client"] != "[local]":
        put(document, "client.ip", found["client"])
    request = REQUEST.search(found["text"])
    put(document, "http.request.id", request[1] if request else None)
    if found["text"].startswith("AUDIT: "):
        put(document, "event.dataset", "pgaudit")
    return True


REDIS = re.compile(r"^(?P<pid>\d+):(?P<role>[MSCX]) \d+ \w+ \d{4} [\d:.]+ (?P<level>[.*#-]) (?P<text>.*)$", re.DOTALL)
REDIS_LEVELS = {".": "debug", "-": "info", "*": "notice", "#": "warning"}
REDIS_ROLES = {"M": "master", "S": "replica", "C": "child", "X": "sentinel"}


def redis(text: str, document: Document) -> bool:
    found = REDIS.match(text)
    if not found:
        return False
    put(document, "log.level", REDIS_LEVELS[found["level"]])
    put(document, "message", found["text"])
    put(document, "fields", {"role": REDIS_ROLES[found["role"]]})
    return True


LOGFMT = re.compile(r'^time="[^"]*" level=(?P<level>\w+) msg="(?P<text>(?:[^"\\]|\\.)*)"(?P<rest>.*)$')


def logfmt(text: str, document: Document) -> bool:
    """Docker's daemon."""
    found = LOGFMT.match(text)
    if not found:
        return False
    put(document, "log.level", level(found["level"]))
    put(document, "message", found["text"].replace('\\"', '"') + found["rest"])
    return True


# 2026-11-22 02:18:37,123 INFO: no action; nginx: 2026/11/22 02:18:37 [error] 12#12: *3 ...; pgbouncer: 2026-... UTC
# [1] LOG ...; haproxy: [WARNING]  (12) : Server ...
PLAIN = (
    re.compile(
        r"^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ )?(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL): (?P<text>.*)$",
        re.DOTALL,
    ),
    re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(?P<level>\w+)\] (?P<text>.*)$", re.DOTALL),
    re.compile(r"^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ UTC )?\[\d+\] (?P<level>[A-Z]+) (?P<text>.*)$", re.DOTALL),
    re.compile(r"^\[(?P<level>ALERT|WARNING|NOTICE)\] +\(\d+\) : (?P<text>.*)$", re.DOTALL),
)


def plain(text: str, document: Document) -> bool:
    for pattern in PLAIN:
        found = pattern.match(text)
        if found:
            put(document, "log.level", level(found["level"]))
            put(document, "message", found["text"])
            return True
    return False


AUDIT = re.compile(r"type=(?P<type>\w+) msg=audit\((?P<at>\d+\.\d+):(?P<serial>\d+)\)")


def audit(text: str, document: Document) -> bool:
    found = AUDIT.search(text)
    if not found:
        return False
    at = datetime.fromtimestamp(float(found["at"]), UTC)
    put(document, "@timestamp", at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    put(document, "event.action", found["type"].lower())
    put(document, "message", text)
    return True


PARSERS: Mapping[str, Callable[[str, Document], bool]] = {
    "json": json_line, "postgres": postgres, "redis": redis, "logfmt": logfmt, "plain": plain, "audit": audit,
}  # fmt: skip
