"""What the probe knows, on disk: an acknowledgement counts only once it is in here."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ACKNOWLEDGED, UNKNOWN, FAILED = "A", "U", "F"
EVERY = 0.02


@dataclass(frozen=True)
class Entry:
    """One outcome: its letter, when it was known (CLOCK_MONOTONIC), which write, for a failure its kind, how long."""

    letter: str
    at: float
    reference: str
    kind: str = ""
    took: float = 0.0


@dataclass
class Told:
    """A journal, read back."""

    head: dict[str, Any] = field(default_factory=dict)
    tail: dict[str, Any] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    def of(self, letter: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.letter == letter]


def parse(lines: Iterable[str]) -> Told:
    """A line without its end is one whose writer was killed: it never counted."""
    told = Told()
    for line in lines:
        if not line.endswith("\n"):
            break
        letter, _tab, rest = line.rstrip("\n").partition("\t")
        if letter == "HEAD":
            told.head = json.loads(rest)
        elif letter == "TAIL":
            told.tail = json.loads(rest)
        else:
            at, reference, kind, took = rest.split("\t")
            told.entries.append(Entry(letter, float(at), reference, kind, float(took)))
    return told


def read(path: str | Path) -> Told:
    with Path(path).open(encoding="utf-8") as lines:
        return parse(lines)


class Journal:
    """Appends, and syncs to disk in batches; whoever reads the file sees only what a crash cannot take back."""

    def __init__(self, path: str | Path, head: dict[str, Any]) -> None:
        self._file = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 it lives as long as the run
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._failed: Exception | None = None
        self._line("HEAD", head)
        self._thread = threading.Thread(target=self._flush, daemon=True)
        self._thread.start()

    def _line(self, word: str, values: dict[str, Any]) -> None:
        with self._lock:
            self._lines.append(f"{word}\t{json.dumps(values)}\n")

    def add(self, letter: str, at: float, reference: str, kind: str = "", took: float = 0.0) -> None:
        line = f"{letter}\t{at:.6f}\t{reference}\t{kind}\t{took:.6f}\n"
        with self._lock:
            self._lines.append(line)

    def _flush(self) -> None:
        try:
            while True:
                last = self._closing.wait(EVERY)
                with self._lock:
                    lines, self._lines = self._lines, []
                if lines:
                    self._file.write("".join(lines))
                    self._file.flush()
                    os.fsync(self._file.fileno())
                if last:
                    return
        except OSError as error:
            self._failed = error

    def close(self, tail: dict[str, Any]) -> None:
        self._line("TAIL", tail)
        self._closing.set()
        self._thread.join()
        self._file.close()
        if self._failed:
            raise OSError(f"the journal {self._file.name} could not be written: {self._failed}")
