#!/usr/bin/python3 -IB
# Managed by Ansible, role log_collector.
"""Takes documents from rsyslog's omprog, keeps them on disk, and stores them in Elasticsearch.

Each line is STREAM ID DOCUMENT. It is answered with OK once it is in a file here, and only then does rsyslog
acknowledge it to the host that sent it. A second thread sends what is in the files, in bulk requests that create: a
document that is there already (409) came twice, and is well. What Elasticsearch cannot take now (429, 5xx, no
connection, no login) is tried again for as long as it takes. What it will never take (400) goes into a file of its own,
bounded and counted, so that one bad document does not hold up all others.

`log_store.py --drained` waits a minute for files in which nothing waits, and exits 1 where it does not come to that.

Whatever dies, nothing is lost and nothing is stored twice. rsyslog's own parts could not do that (the role's README
has what was measured).
"""

from __future__ import annotations

import json
import os
import sys
import syslog
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Isolated (-I), Python does not look beside the program; without bytecode (-B), it leaves nothing there.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from log_store_elasticsearch import LARGEST, Document, NotNowError, Outcome, Store, bulks, read
from log_store_spool import Spool, left
from log_store_tally import Refused, Tally

SETTINGS = "/etc/trading-platform/log-collector/store.json"
# Seconds after a failed attempt.
FIRST, LAST = 0.5, 8.0
BATCH = 2000
# Seconds in which more comes together: a request with ten documents costs Elasticsearch little less than one of 1,000.
GATHERED = 0.5


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


@dataclass
class Sink:
    """What becomes of a batch: stored, or put aside; and who hears of it."""

    streams: Sequence[str]
    commit: Callable[[list[Document]], None]
    strange: Callable[[str], None]
    failed: Callable[[str], None]
    sleep: Callable[[float], None] = time.sleep


def ship(spool: Spool, sink: Sink) -> int:
    """What is there, one batch of it; how many lines that was."""
    lines, number, offset = spool.take(BATCH, LARGEST)
    if not lines:
        return 0
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
    return len(lines)


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
            tally.waiting = spool.waiting()
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
            shipped = ship(spool, sink)
            if time.monotonic() - synced > 1:
                synced = time.monotonic()
                spool.sync()
                spool.note()
                tally.waiting = spool.waiting()
                tally.write(synced)
            if shipped < BATCH:
                time.sleep(GATHERED)
    except BaseException as error:
        syslog.syslog(syslog.LOG_ERR, f"log_store ends: {type(error).__name__}: {error}")
        os._exit(1)


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
