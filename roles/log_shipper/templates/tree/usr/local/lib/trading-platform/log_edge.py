#!/usr/bin/python3
# Managed by Ansible, role log_shipper.
"""Makes one ECS document out of each log entry: structured, with an id of its own, secrets and personal data masked.

rsyslog's mmexternal starts it, writes each message as a line of JSON and waits for the answer. A message that comes
back without a
document is not shipped (rsyslog.conf sees to that), so whatever fails here fails closed: the entry stays in the host's
journal.
The id is made of what the entry is, not by chance: an entry that is read twice has the same id, and the log store
takes it once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SETTINGS = "/etc/trading-platform/logs/edge.json"
LONGEST = 30_000
Document = dict[str, Any]
Entry = Mapping[str, Any]

LEVELS = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
# What programs call their levels, as syslog does.
WORDS = {
    "fatal": "critical", "panic": "critical", "crit": "critical", "err": "error", "eror": "error", "warn": "warning",
    "log": "info", "information": "info", "hint": "info", "detail": "info", "statement": "info", "context": "info",
    "trace": "debug", "emerg": "emergency", "dpanic": "critical", "noise": "debug",
}  # fmt: skip


# ----- masking


def luhn(text: str) -> bool:
    """Whether the digits are those of a payment card."""
    digits = [int(one) for one in text if one.isdigit()][::-1]
    doubled = [sum(divmod(2 * one, 10)) for one in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def iban(text: str) -> bool:
    """Whether the check digits are those of an account."""
    packed = "".join(text.split())
    return int("".join(str(int(one, 36)) for one in packed[4:] + packed[:4])) % 97 == 1


CHECKS: Mapping[str, Callable[[str], bool]] = {"luhn": luhn, "iban": iban}


# Anchors speak of one text's ends; such a rule is asked of each text.
ANCHOR = re.compile(r"\^|\$|\\[AZ]")


@dataclass(frozen=True)
class Mask:
    """One rule. `hints`: lower-case words of which one is in every text that the rule can be about; it saves the
    search."""

    pattern: re.Pattern[str]
    replacement: str
    check: Callable[[str], bool] | None = None
    hints: tuple[str, ...] = ()

    def concerns(self, together: str, low: str) -> bool:
        """Whether any of the texts, put together with NULs between, may hold what the rule is about."""
        if self.hints:
            return any(hint in low for hint in self.hints)
        return bool(ANCHOR.search(self.pattern.pattern) or self.pattern.search(together))

    def __call__(self, text: str) -> str:
        check = self.check
        if check is None:
            return self.pattern.sub(self.replacement, text)
        return self.pattern.sub(lambda found: found.expand(self.replacement) if check(found[0]) else found[0], text)


def masks(rules: Iterable[Mapping[str, Any]]) -> tuple[Mask, ...]:
    return tuple(
        Mask(
            re.compile(one["regex"]), one["replacement"], CHECKS.get(one.get("check", "")), tuple(one.get("hints", ()))
        )
        for one in rules
    )


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


def rewritten(value: Any, rules: Sequence[Mask]) -> Any:
    if isinstance(value, str):
        for rule in rules:
            value = rule(value)
        return value
    if isinstance(value, dict):
        return {key: rewritten(one, rules) for key, one in value.items()}
    return [rewritten(one, rules) for one in value] if isinstance(value, list) else value


def masked(value: Any, rules: Sequence[Mask]) -> Any:
    """Every text in it, however deep, without what the rules find. Keys are the programs' own words."""
    together = "\0".join(texts(value))
    low = together.lower()
    due = [rule for rule in rules if rule.concerns(together, low)]
    return rewritten(value, due) if due else value


# ----- what programs write


def level(word: object) -> str:
    low = str(word).strip().lower()
    return low if low in LEVELS else WORDS.get(low, "info")


def put(document: Document, path: str, value: object) -> None:
    """`http.request.id` as ECS has it; nothing where there is no value."""
    if value in (None, "", "-"):
        return
    *parents, last = path.split(".")
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
# [1] LOG ...
PLAIN = (
    re.compile(
        r"^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ )?(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL): (?P<text>.*)$",
        re.DOTALL,
    ),
    re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(?P<level>\w+)\] (?P<text>.*)$", re.DOTALL),
    re.compile(r"^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ UTC )?\[\d+\] (?P<level>[A-Z]+) (?P<text>.*)$", re.DOTALL),
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


# ----- from an entry to a document


@dataclass
class Edge:
    """A host's settings, and what was said last: twins within the same microsecond are told apart by their count."""

    host: str
    environment: str
    rules: tuple[Mask, ...]
    # Unit, syslog identifier or file, and what it is: service, stream, parsers.
    sources: Mapping[str, Mapping[str, Any]]
    last: tuple[str, ...] = field(default=(), init=False)
    twins: dict[str, int] = field(default_factory=dict, init=False)

    def source(self, entry: Entry, journal: Entry) -> Mapping[str, Any]:
        """The most particular one that is known."""
        if journal.get("CONTAINER_NAME"):
            return self.sources["container"]
        metadata = journal.get("metadata") or {}
        unit = re.sub(r"@[^.]*", "@", str(journal.get("_SYSTEMD_UNIT", "")))
        for name in (metadata.get("filename"), unit, journal.get("SYSLOG_IDENTIFIER"), entry.get("programname")):
            if name and name in self.sources:
                return self.sources[name]
        name = journal.get("SYSLOG_IDENTIFIER") or unit.partition(".")[0] or entry.get("programname") or "unknown"
        return {"service": name, "stream": "system", "parsers": ["json", "plain"]}

    def identity(self, entry: Entry, journal: Entry, text: str) -> str:
        """The same for the same entry, whenever it is read."""
        metadata = journal.get("metadata") or {}
        if metadata:
            where: tuple[str, ...] = (str(metadata.get("filename")), str(metadata.get("fileoffset")))
        else:
            when = str(journal.get("_SOURCE_REALTIME_TIMESTAMP") or entry.get("timereported"))
            where = (str(journal.get("_BOOT_ID")), when, str(journal.get("_PID")), str(journal.get("CONTAINER_ID", "")))
        key = hashlib.blake2b(
            "\0".join((self.host, *where, text)).encode("utf-8", "replace"), digest_size=16
        ).hexdigest()
        if metadata:
            return key
        if where[:2] != self.last:
            self.last, self.twins = where[:2], {}
        count = self.twins.get(key, 0)
        self.twins[key] = count + 1
        return key if not count else hashlib.blake2b(f"{key} {count}".encode(), digest_size=16).hexdigest()

    def document(self, entry: Entry) -> Document:
        journal: Entry = entry.get("$!") or {}
        text = str(entry.get("msg", "")).removeprefix(" ") if not journal.get("MESSAGE") else str(journal["MESSAGE"])
        source = self.source(entry, journal)
        document: Document = {}
        cut = text[:LONGEST]
        if not any(PARSERS[name](cut, document) for name in source.get("parsers", ())):
            document = {"message": cut}
        if len(text) > LONGEST:
            put(document, "log.truncated_bytes", len(text) - LONGEST)
        document.setdefault("@timestamp", moment(entry.get("timereported")) or moment(entry.get("timegenerated")))
        document.setdefault("log", {}).setdefault("level", LEVELS[int(entry.get("syslogseverity") or 6)])
        document.setdefault("service", {}).setdefault("name", source["service"])
        event = document.setdefault("event", {})
        event["id"] = self.identity(entry, journal, text)
        stream = "audit" if event.get("dataset") == "pgaudit" else str(source["stream"])
        event.setdefault("dataset", source["service"])
        if journal.get("_PID"):
            document.setdefault("process", {}).setdefault("pid", int(journal["_PID"]))
        put(document, "process.name", journal.get("_COMM"))
        put(document, "container.id", journal.get("CONTAINER_ID"))
        put(document, "container.name", journal.get("CONTAINER_NAME"))
        put(document, "container.image.name", journal.get("IMAGE_NAME"))
        put(document, "log.file.path", (journal.get("metadata") or {}).get("filename"))
        document = masked(document, self.rules)
        # What addresses it is not the writer's to choose.
        document["event"]["id"] = event["id"]
        document["host"] = {"name": self.host}
        document["labels"] = {"env": self.environment}
        document["ecs"] = {"version": "8.11.0"}
        document["data_stream"] = {"type": "logs", "dataset": stream, "namespace": self.environment}
        return document

    def answer(self, line: bytes) -> bytes:
        """What rsyslog sets. An entry that this program stumbles over is shipped as the fact that there was one."""
        entry = json.loads(line.decode("utf-8", "replace"))
        document = self.document(entry)
        stream = "-".join(("logs", document["data_stream"]["dataset"], self.environment))
        text = json.dumps(document, separators=(",", ":"))
        return (
            json.dumps({"$!": {"ship": {"document": text, "id": document["event"]["id"], "stream": stream}}}).encode()
            + b"\n"
        )


def edge(settings: Mapping[str, Any]) -> Edge:
    return Edge(settings["host"], settings["environment"], masks(settings["masks"]), settings["sources"])


def main() -> int:
    words = [word for word in sys.argv[1:] if word != "--check"]
    made = edge(json.loads(Path(words[0] if words else SETTINGS).read_text(encoding="utf-8")))
    if "--check" in sys.argv:
        return 0
    # rsyslog reads both; a word of Python's would be taken for an answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for line in sys.stdin.buffer:
        try:
            said = made.answer(line)
        except Exception:
            said = b"{}\n"
        os.write(1, said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
