# Managed by Ansible, role log_collector.
"""The files in which lines wait between rsyslog and Elasticsearch. For log_store.py."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

# Beside the files: how far they are done with.
POSITION = "position"


def noted(place: Path) -> tuple[int, int]:
    """The file that is read and how far, as the reader left it. Without a readable note: from the first one on."""
    try:
        said = json.loads(place.read_text())
        return int(said["number"]), int(said["offset"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0


class Spool:
    """Lines in files of bounded size: one end writes, the other reads and says how far it came."""

    def __init__(self, directory: Path, largest: int, segment: int = 16 << 20) -> None:
        self.directory, self.largest, self.segment = directory, largest, segment
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.place = directory / POSITION
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
        number, offset = noted(self.place)
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


def left(directory: Path) -> int:
    """Bytes that wait, read from outside the running program: the files, less what it has noted as done with."""
    number, offset = noted(directory / POSITION)
    files = {int(path.name): path.stat().st_size for path in directory.glob("*") if path.name.isdigit()}
    return sum(size - (offset if name == number else 0) for name, size in files.items() if name >= number)
