#!/usr/bin/python3
# Managed by Ansible, role log_collector.
"""Stores what rsyslog's omprog hands over in Elasticsearch, and says so only when Elasticsearch has said so.

Each line is STREAM ID DOCUMENT. Documents of a transaction go out as bulk requests that create; one that is there already (409) was
delivered before, and is well. What Elasticsearch cannot take now (429, 5xx, no connection, no login) is an error to rsyslog, which keeps
the transaction in its queue on disk and tries again. What it will never take (400) goes into a file, bounded and counted, so that one bad
document does not hold up all others. rsyslog's own omelasticsearch 8.2302 takes a 401 or 503 for the end of the matter.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SETTINGS = "/etc/trading-platform/log-collector/store.json"
BEGIN, COMMIT = "BEGIN TRANSACTION", "COMMIT TRANSACTION"
LINE = re.compile(r"^(?P<stream>[a-z0-9._-]{1,100}) (?P<id>[A-Za-z0-9_-]{8,64}) (?P<document>\{.*\})$", re.DOTALL)
LARGEST = 5_000_000
NEVER = (400, 413)
# Seconds after a failed attempt.
FIRST, LAST = 0.5, 8.0


class NotNowError(Exception):
    """Elasticsearch may take it later."""


@dataclass(frozen=True)
class Document:
    stream: str
    id: str
    text: str

    def lines(self) -> str:
        return f'{{"create":{{"_index":"{self.stream}","_id":"{self.id}"}}}}\n{self.text}\n'


def read(line: str, streams: Sequence[str]) -> Document | None:
    """Nothing where an edge sent what is no document, or for a stream that is none: whoever holds a host must not fill others."""
    found = LINE.match(line)
    if not found or found["stream"] not in streams:
        return None
    return Document(found["stream"], found["id"], found["document"])


def bulks(documents: Sequence[Document], largest: int = LARGEST) -> Iterator[list[Document]]:
    """Requests of bounded size."""
    batch: list[Document] = []
    size = 0
    for one in documents:
        length = len(one.text) + 200
        if batch and size + length > largest:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += length
    if batch:
        yield batch


@dataclass
class Outcome:
    """What became of the documents of one request."""

    created: int = 0
    known: int = 0
    refused: list[tuple[Document, str]] = field(default_factory=list)
    later: list[Document] = field(default_factory=list)
    reason: str = ""


def outcome(documents: Sequence[Document], status: int, body: str) -> Outcome:
    """Elasticsearch's answer, item by item; whatever cannot be read is later."""
    found = Outcome()
    if status == 413 and len(documents) == 1:  # noqa: PLR2004 - a code of HTTP
        found.refused = [(documents[0], "413: larger than Elasticsearch takes")]
        return found
    try:
        items = json.loads(body)["items"] if status == http.client.OK else None
    except (ValueError, KeyError, TypeError):
        items = None
    if not isinstance(items, list) or len(items) != len(documents):
        found.later, found.reason = list(documents), f"HTTP {status}: {body[:200]}"
        return found
    for document, item in zip(documents, items, strict=True):
        said = item.get("create", {})
        code = said.get("status", 0)
        error = said.get("error") or {}
        if code in (200, 201):
            found.created += 1
        elif code == http.client.CONFLICT:
            found.known += 1
        elif code in NEVER:
            found.refused.append((document, f"{code}: {error.get('type')}: {error.get('reason')}"))
        else:
            found.later.append(document)
            found.reason = f"{code}: {error.get('type')}: {error.get('reason')}"
    return found


class Store:
    """Elasticsearch, by the first node that answers."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.nodes: list[tuple[str, int]] = [(one["host"], one["port"]) for one in settings["nodes"]]
        self.timeout: float = settings["timeout"]
        self.context = ssl.create_default_context(cafile=settings["ca"])
        login = base64.b64encode(f"{settings['user']}:{settings['password']}".encode()).decode()
        self.headers = {"Content-Type": "application/x-ndjson", "Authorization": f"Basic {login}"}
        self.connection: http.client.HTTPSConnection | None = None

    def bulk(self, documents: Sequence[Document]) -> Outcome:
        body = "".join(one.lines() for one in documents).encode("utf-8", "surrogatepass")
        said = ""
        for _node in range(len(self.nodes) + 1):
            try:
                if self.connection is None:
                    host, port = self.nodes[0]
                    self.connection = http.client.HTTPSConnection(host, port, timeout=self.timeout, context=self.context)
                path = "/_bulk?filter_path=errors,items.create.status,items.create.error.type,items.create.error.reason"
                self.connection.request("POST", path, body, self.headers)
                answer = self.connection.getresponse()
                return outcome(documents, answer.status, answer.read().decode("utf-8", "replace"))
            except (OSError, http.client.HTTPException) as error:
                said = f"{self.nodes[0][0]}: {error or type(error).__name__}"
                self.drop()
                self.nodes.append(self.nodes.pop(0))
        raise NotNowError(said)

    def drop(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@dataclass
class Tally:
    """What has been counted since the program started, for node-exporter."""

    path: str
    created: int = 0
    known: int = 0
    refused: int = 0
    strange: int = 0
    failures: int = 0
    last: float = 0.0
    written: float = 0.0

    def text(self) -> str:
        name = "trading_log_store"
        counts = {"created": self.created, "known": self.known, "refused": self.refused, "strange": self.strange}
        lines = [f"# HELP {name}_documents_total Documents by what became of them.", f"# TYPE {name}_documents_total counter"]
        lines += [f'{name}_documents_total{{result="{what}"}} {count}' for what, count in counts.items()]
        lines += [f"# HELP {name}_failures_total Attempts that Elasticsearch did not take.", f"# TYPE {name}_failures_total counter"]
        lines += [f"{name}_failures_total {self.failures}"]
        lines += [f"# HELP {name}_last_success_timestamp_seconds When documents were last stored."]
        lines += [f"# TYPE {name}_last_success_timestamp_seconds gauge", f"{name}_last_success_timestamp_seconds {self.last:.0f}"]
        return "\n".join(lines) + "\n"

    def write(self, now: float, every: float = 10) -> None:
        if not self.path or now - self.written < every:
            return
        self.written = now
        place = Path(self.path)
        if place.parent.is_dir():
            part = place.with_suffix(".part")
            part.write_text(self.text())
            part.chmod(0o644)
            part.replace(place)


@dataclass
class Refused:
    """The file of what Elasticsearch will never take. Two generations, so it is bounded."""

    path: Path
    largest: int

    def add(self, text: str, reason: str) -> None:
        if self.path.exists() and self.path.stat().st_size > self.largest:
            self.path.replace(self.path.with_suffix(".old"))
        with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
            file.write(json.dumps({"reason": reason, "text": text}) + "\n")


def stored(documents: Sequence[Document], store: Callable[[Sequence[Document]], Outcome], tally: Tally, refused: Refused) -> None:
    """Everything, or NotNowError; what was stored before the error is known when it comes again."""
    for batch in bulks(documents):
        due = list(batch)
        while due:
            found = store(due)
            tally.created += found.created
            tally.known += found.known
            for document, reason in found.refused:
                tally.refused += 1
                refused.add(document.lines(), reason)
            if found.later and len(found.later) == len(due):
                if "413" in found.reason[:9] and len(due) > 1:
                    half = len(due) // 2
                    stored(due[:half], store, tally, refused)
                    stored(due[half:], store, tally, refused)
                    break
                raise NotNowError(found.reason)
            due = found.later
    tally.last = time.time()


def serve(lines: Iterator[str], answer: Callable[[str], None], streams: Sequence[str], commit: Callable[[list[Document]], None],
          strange: Callable[[str], None], failed: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> None:  # fmt: skip
    """rsyslog's side of it: each line wants one answer."""
    waiting: list[Document] = []
    pause = FIRST
    for raw in lines:
        line = raw.rstrip("\n")
        if line == BEGIN:
            waiting = []
            answer("OK")
        elif line == COMMIT:
            while True:
                try:
                    commit(waiting)
                    break
                except NotNowError as error:
                    failed(str(error))
                    sleep(pause)
                    pause = min(2 * pause, LAST)
            waiting, pause = [], FIRST
            answer("OK")
        else:
            document = read(line, streams)
            if document is None:
                strange(line)
            else:
                waiting.append(document)
            answer("DEFER_COMMIT")


def main() -> int:
    settings = json.loads(Path(sys.argv[1] if len(sys.argv) > 1 else SETTINGS).read_text())
    store = Store(settings)
    if len(sys.argv) > 2 and sys.argv[2] == "--check":
        return 0
    tally = Tally(settings["metrics"])
    refused = Refused(Path(settings["refused"]), settings["refused_bytes"])

    def commit(documents: list[Document]) -> None:
        try:
            stored(documents, store.bulk, tally, refused)
        except NotNowError:
            tally.failures += 1
            store.drop()
            raise
        finally:
            tally.write(time.monotonic())

    def strange(line: str) -> None:
        tally.strange += 1
        refused.add(line, "no document, or a stream that is none")

    def answer(word: str) -> None:
        os.write(1, word.encode() + b"\n")

    sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    answer("OK")
    serve(iter(sys.stdin.readline, ""), answer, settings["streams"], commit, strange)
    return 0


if __name__ == "__main__":
    sys.exit(main())
