#!/usr/bin/python3
# Managed by Ansible, role log_collector.
"""Takes documents from rsyslog's omprog, keeps them on disk, and stores them in Elasticsearch.

Each line is STREAM ID DOCUMENT. It is answered with OK once it is in a file here, and only then does rsyslog
acknowledge it to the host
that sent it. A second thread sends what is in the files, in bulk requests that create: a document that is there
already (409) came
twice, and is well. What Elasticsearch cannot take now (429, 5xx, no connection, no login) is tried again for as long
as it takes. What it
will never take (400) goes into a file of its own, bounded and counted, so that one bad document does not hold up all
others.

`log_store.py --drained` waits a minute for files in which nothing waits, and exits 1 where it does not come to that.

Whatever dies, nothing is lost and nothing is stored twice. rsyslog's own parts could not do that (the role's README
has what was measured).
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import ssl
import sys
import syslog
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SETTINGS = "/etc/trading-platform/log-collector/store.json"
LINE = re.compile(r"^(?P<stream>[a-z0-9._-]{1,100}) (?P<id>[A-Za-z0-9_-]{8,64}) (?P<document>\{.*\})$", re.DOTALL)
LARGEST = 5_000_000
NEVER = (400, 413)
# Seconds after a failed attempt.
FIRST, LAST = 0.5, 8.0
BATCH = 2000


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
    """Nothing where an edge sent what is no document, or for a stream that is none: whoever holds a host must not fill
    others."""
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
                    self.connection = http.client.HTTPSConnection(
                        host, port, timeout=self.timeout, context=self.context
                    )
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
    waiting: int = 0
    written: float = 0.0

    def text(self) -> str:
        name = "trading_log_store"
        counts = {"created": self.created, "known": self.known, "refused": self.refused, "strange": self.strange}
        lines = [
            f"# HELP {name}_documents_total Documents by what became of them.",
            f"# TYPE {name}_documents_total counter",
        ]
        lines += [f'{name}_documents_total{{result="{what}"}} {count}' for what, count in counts.items()]
        lines += [
            f"# HELP {name}_failures_total Attempts that Elasticsearch did not take.",
            f"# TYPE {name}_failures_total counter",
        ]
        lines += [f"{name}_failures_total {self.failures}"]
        lines += [f"# HELP {name}_waiting_bytes What waits on disk.", f"# TYPE {name}_waiting_bytes gauge"]
        lines += [f"{name}_waiting_bytes {self.waiting}"]
        lines += [f"# HELP {name}_last_success_timestamp_seconds When documents were last stored."]
        lines += [
            f"# TYPE {name}_last_success_timestamp_seconds gauge",
            f"{name}_last_success_timestamp_seconds {self.last:.0f}",
        ]
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
        with os.fdopen(
            os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8"
        ) as file:
            file.write(json.dumps({"reason": reason, "text": text}) + "\n")


def stored(
    documents: Sequence[Document], store: Callable[[Sequence[Document]], Outcome], tally: Tally, refused: Refused
) -> None:
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
                if found.reason.startswith("HTTP 413") and len(due) > 1:
                    half = len(due) // 2
                    stored(due[:half], store, tally, refused)
                    stored(due[half:], store, tally, refused)
                    break
                raise NotNowError(found.reason)
            due = found.later
    tally.last = time.time()


class Spool:
    """Lines in files of bounded size: one end writes, the other reads and says how far it came."""

    def __init__(self, directory: Path, largest: int, segment: int = 16 << 20) -> None:
        self.directory, self.largest, self.segment = directory, largest, segment
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.place = directory / "position"
        self.number, self.offset = self._position()
        # Never on where another process ended: its last line may be half a line.
        self.writing = max([self.number - 1, *self.numbers()]) + 1
        self.file = self._open()
        self.level, self.looked = self.waiting(), time.monotonic()

    def numbers(self) -> list[int]:
        return sorted(int(path.name) for path in self.directory.iterdir() if path.name.isdigit())

    def path(self, number: int) -> Path:
        return self.directory / f"{number:012d}"

    def waiting(self) -> int:
        """Bytes."""
        found = 0
        for number in self.numbers():
            with contextlib.suppress(FileNotFoundError):
                found += self.path(number).stat().st_size
        return max(0, found - self.offset)

    def _position(self) -> tuple[int, int]:
        """Where nothing can be read everything is sent once more, which does no harm."""
        try:
            said = json.loads(self.place.read_text())
            number, offset = int(said["number"]), int(said["offset"])
        except (OSError, ValueError, KeyError, TypeError):
            number, offset = 0, 0
        there = [one for one in self.numbers() if one >= number]
        return (number, offset) if number in there else (min(there, default=number + 1), 0)

    def _open(self) -> int:
        return os.open(self.path(self.writing), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def full(self) -> bool:
        """Looked up twice a second: the files are counted, so that no two threads need agree on a number."""
        if time.monotonic() - self.looked > 0.5:  # noqa: PLR2004 - seconds
            self.level, self.looked = self.waiting(), time.monotonic()
        return self.level > self.largest

    def append(self, line: bytes) -> None:
        os.write(self.file, line)
        if os.fstat(self.file).st_size > self.segment:
            os.close(self.file)
            self.writing += 1
            self.file = self._open()

    def take(self, count: int, largest: int) -> tuple[list[str], int, int]:
        """Whole lines from where the reader is, and where it is then."""
        while True:
            found, offset = self._read(count, largest)
            if found or self.number >= self.writing:
                return found, self.number, offset
            # All of this file is read, and nobody writes to it any more: what is left is half a line.
            self.moved(self.number + 1, 0)

    def _read(self, count: int, largest: int) -> tuple[list[str], int]:
        path = self.path(self.number)
        if not path.exists():
            return [], 0
        found: list[str] = []
        with path.open("rb") as file:
            offset = file.seek(self.offset)
            for line in file:
                if not line.endswith(b"\n") or len(found) >= count or offset - self.offset > largest:
                    break
                offset += len(line)
                found.append(line.decode("utf-8", "replace"))
        return found, offset

    def moved(self, number: int, offset: int) -> None:
        """What lies before is done with."""
        if number != self.number:
            self.path(self.number).unlink(missing_ok=True)
        self.number, self.offset = number, offset

    def note(self) -> None:
        part = self.place.with_suffix(".part")
        part.write_text(json.dumps({"number": self.number, "offset": self.offset}))
        part.replace(self.place)

    def sync(self) -> None:
        os.fsync(self.file)


@dataclass
class Sink:
    """What becomes of a batch: stored, or put aside; and who hears of it."""

    streams: Sequence[str]
    commit: Callable[[list[Document]], None]
    strange: Callable[[str], None]
    failed: Callable[[str], None]
    sleep: Callable[[float], None] = time.sleep


def ship(spool: Spool, sink: Sink) -> bool:
    """What is there, one batch of it; whether there was anything."""
    lines, number, offset = spool.take(BATCH, LARGEST)
    if not lines:
        return False
    documents = []
    for line in lines:
        document = read(line.rstrip("\n"), sink.streams)
        if document is None:
            sink.strange(line.rstrip("\n"))
        else:
            documents.append(document)
    pause = FIRST
    while True:
        try:
            sink.commit(documents)
            break
        except NotNowError as error:
            sink.failed(str(error))
            sink.sleep(pause)
            pause = min(2 * pause, LAST)
    spool.moved(number, offset)
    return True


def receive(
    lines: Iterator[bytes], answer: Callable[[bytes], None], spool: Spool, sleep: Callable[[float], None] = time.sleep
) -> None:
    """rsyslog's side: each line wants one answer, and gets it when the line is in a file."""
    for line in lines:
        # Then the hosts wait, and their journals keep what they write.
        while spool.full():
            sleep(0.2)
        spool.append(line)
        answer(b"OK\n")


def sender(spool: Spool, settings: Mapping[str, Any], store: Store) -> None:
    """The second thread. A mistake of its own ends the program, which rsyslog starts again."""
    tally = Tally(settings["metrics"])
    refused = Refused(Path(settings["refused"]), settings["refused_bytes"])
    said = synced = -60.0

    def commit(documents: list[Document]) -> None:
        try:
            stored(documents, store.bulk, tally, refused)
        except NotNowError:
            tally.failures += 1
            store.drop()
            raise
        finally:
            tally.waiting = spool.level
            tally.write(time.monotonic())

    def strange(line: str) -> None:
        tally.strange += 1
        refused.add(line, "no document, or a stream that is none")

    def failed(reason: str) -> None:
        nonlocal said
        if time.monotonic() - said > 60:  # noqa: PLR2004 - seconds
            said = time.monotonic()
            syslog.syslog(syslog.LOG_WARNING, f"Elasticsearch does not take logs, which wait on disk: {reason[:300]}")

    sink = Sink(settings["streams"], commit, strange, failed)
    try:
        while True:
            had = ship(spool, sink)
            if time.monotonic() - synced > 1:
                synced = time.monotonic()
                spool.sync()
                spool.note()
                tally.waiting = spool.level
                tally.write(synced)
            if not had:
                time.sleep(0.2)
    except BaseException as error:
        syslog.syslog(syslog.LOG_ERR, f"log_store ends: {type(error).__name__}: {error}")
        os._exit(1)


def left(directory: Path) -> int:
    """Bytes that wait, read from outside the running program: the files, less what it has noted as done with."""
    try:
        said = json.loads((directory / "position").read_text())
        number, offset = int(said["number"]), int(said["offset"])
    except (OSError, ValueError, KeyError, TypeError):
        number, offset = 0, 0
    files = {int(path.name): path.stat().st_size for path in directory.glob("*") if path.name.isdigit()}
    return sum(size - (offset if name == number else 0) for name, size in files.items() if name >= number)


def drained(directory: Path, patience: float = 60) -> int:
    end = time.monotonic() + patience
    while left(directory) > 0:
        if time.monotonic() > end:
            sys.stderr.write(
                f"log_store: {left(directory)} bytes in {directory} wait for Elasticsearch. See that log-collector "
                "runs and that Elasticsearch takes them, then run again.\n"
            )
            return 1
        time.sleep(0.5)
    return 0


def main() -> int:
    if sys.argv[1:2] == ["--drained"]:
        return drained(Path(json.loads(Path(SETTINGS).read_text(encoding="utf-8"))["spool"]))
    settings = json.loads(Path(sys.argv[1] if len(sys.argv) > 1 else SETTINGS).read_text(encoding="utf-8"))
    syslog.openlog("log_store")
    store = Store(settings)
    spool = Spool(Path(settings["spool"]), settings["spool_bytes"])
    threading.Thread(target=sender, args=(spool, settings, store), daemon=True).start()

    def answer(word: bytes) -> None:
        os.write(1, word)

    answer(b"OK\n")
    receive(iter(sys.stdin.buffer.readline, b""), answer, spool)
    return 0


if __name__ == "__main__":
    sys.exit(main())
