"""Concurrent writers over a client that may break under them, bounded in count and time."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ledger.figures import EXAMPLES, NOT_SENT, REFUSED, normal, reference_of, steady
from ledger.journal import ACKNOWLEDGED, FAILED, UNKNOWN, Journal

# In-flight writes at the end of a run have this long before they are cut off and count as unknown.
GRACE = 10.0
PULSE = 0.5
# Between two tries of one writer: eight writers see a database come back within a few hundredths of a second.
LONGEST_PAUSE = 0.2


class WriteError(Exception):
    """A write that did not succeed; kind is not_sent, refused or unknown."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Client(Protocol):
    """One connection of one writer. Every method raises WriteError, and nothing else."""

    def connect(self) -> None: ...

    def write(self, reference: str) -> None: ...

    def cut(self) -> None:
        """From another thread: a call that hangs returns with an error."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Limits:
    seconds: float
    writers: int
    rate: float
    most: int
    timeout: float


@dataclass
class Errors:
    """Each text with its count; the first few kinds are kept, all are counted."""

    kinds: dict[tuple[str, str], int] = field(default_factory=dict)
    total: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, text: str) -> None:
        key = (kind, normal(text))
        with self.lock:
            self.total += 1
            if key in self.kinds or len(self.kinds) < EXAMPLES:
                self.kinds[key] = self.kinds.get(key, 0) + 1

    def listed(self) -> list[dict[str, Any]]:
        return [{"kind": kind, "text": text, "count": count} for (kind, text), count in self.kinds.items()]


class Writer:
    def __init__(self, run: Run, number: int, client: Client) -> None:
        self.run, self.number, self.client = run, number, client
        self.count = 0
        self.last: float | None = None
        self.busy_since: float | None = None
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self) -> None:
        interval = self.run.limits.writers / self.run.limits.rate if self.run.limits.rate else 0.0
        due = time.monotonic() + interval * self.number / self.run.limits.writers
        connected, pause = False, 0.05
        for sequence in itertools.count():
            if interval and self.run.stop.wait(max(0.0, due - time.monotonic())):
                break
            # After an outage the pace goes on from now; it does not catch up.
            due = max(due + interval, time.monotonic())
            reference = reference_of(self.run.name, self.number, sequence)
            connected = connected or self.connected(reference)
            if self.run.stop.is_set() or not self.run.take():
                break
            self.busy_since = began = time.monotonic()
            try:
                self.client.write(reference)
            except WriteError as error:
                self.failed(error, reference)
                connected = False
                self.run.stop.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                now = time.monotonic()
                self.run.journal.add(ACKNOWLEDGED, now, reference, took=now - began)
                self.count, self.last, pause = self.count + 1, now, 0.05
            finally:
                self.busy_since = None
        self.client.close()

    def connected(self, reference: str) -> bool:
        """Tries until it stands or the run ends. The movement that waits for it counts once as not sent."""
        told, pause = False, 0.05
        while not self.run.stop.is_set():
            self.client.close()
            try:
                self.client.connect()
            except WriteError as error:
                self.run.errors.add(error.kind, str(error))
                if not told:
                    self.run.journal.add(FAILED, time.monotonic(), reference, NOT_SENT)
                told = True
                self.run.stop.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                return True
        return False

    def failed(self, error: WriteError, reference: str) -> None:
        self.run.errors.add(error.kind, str(error))
        if error.kind == REFUSED:
            self.run.journal.add(FAILED, time.monotonic(), reference, REFUSED)
        else:
            self.run.journal.add(UNKNOWN, time.monotonic(), reference)


class Run:
    """All writers together, from the first connection to the last line in the journal."""

    def __init__(self, name: str, limits: Limits, journal: Journal, client: Callable[[int], Client]) -> None:
        self.name, self.limits, self.journal = name, limits, journal
        self.stop = threading.Event()
        self.errors = Errors()
        self.taken = itertools.count()
        self.writers = [Writer(self, number, client(number)) for number in range(limits.writers)]
        self.ready_at: float | None = None

    def take(self) -> bool:
        return next(self.taken) < self.limits.most

    def go(self, handshake: bool) -> None:
        began = time.monotonic()
        for writer in self.writers:
            writer.thread.start()
        counts: list[list[int]] = []
        while not self.stop.wait(PULSE):
            counts = [*counts[-9:], [writer.count for writer in self.writers]]
            if self.ready_at is None and steady(counts):
                self.ready_at = time.monotonic()
                say(handshake, "READY", t=self.ready_at, rate=sum(counts[-1]) - sum(counts[-3]))
            last = max((writer.last for writer in self.writers if writer.last), default=None)
            say(handshake, "PULSE", t=time.monotonic(), acks=sum(counts[-1]), last_ack=last)
            self.watch(self.limits.timeout)
            finished = not any(writer.thread.is_alive() for writer in self.writers)
            if finished or time.monotonic() - began > self.limits.seconds:
                self.stop.set()
        ended = time.monotonic()
        self.drain(ended + GRACE)
        self.journal.close(
            {
                "ended": ended,
                "ready_at": self.ready_at,
                "failed_attempts": self.errors.total,
                "errors": self.errors.listed(),
            }
        )

    def watch(self, timeout: float) -> None:
        """A call that hangs longer is cut off: the writer sees a lost connection, and reconnects."""
        now = time.monotonic()
        for writer in self.writers:
            since = writer.busy_since
            if since is not None and now - since > timeout:
                writer.client.cut()

    def drain(self, until: float) -> None:
        for writer in self.writers:
            writer.thread.join(max(0.0, until - time.monotonic()))
        self.watch(0.0)
        for writer in self.writers:
            writer.thread.join(2)


def say(wanted: bool, word: str, **values: Any) -> None:
    if wanted:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(f"{word} {json.dumps(values)}\n")
            sys.stdout.flush()


def stop_when_told(stop: threading.Event, handshake: bool) -> None:
    """SIGTERM, and in a handshake the end of stdin: a test that dies takes its probe with it."""
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    if handshake:

        def listen() -> None:
            while os.read(0, 4096):
                pass
            stop.set()

        threading.Thread(target=listen, daemon=True).start()
