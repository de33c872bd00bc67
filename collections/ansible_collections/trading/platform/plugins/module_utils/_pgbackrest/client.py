# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgBackRest on this host. What it answers as JSON or in files is read; of what it says only the exit code."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
import zlib
from bz2 import BZ2Decompressor
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .stanza import Stanza, read_info, short
from .wal import BackupError

CHUNK = 1 << 20
LOCKED = 50
CAUSES = {
    29: "a file of the repository has another form than expected, as with a wrong passphrase",
    LOCKED: "another backup, expire or restore of this stanza runs on this host; wait for it",
    56: "PostgreSQL cannot be reached; look at pg1-path, pg1-port and whether it runs",
    82: "a WAL segment did not reach the archive in time; look at pg_stat_archiver on the primary",
    95: "decryption failed; look at repo*-cipher-pass in /etc/pgbackrest/conf.d",
    103: "no repository can be used; look at repo*-* in /etc/pgbackrest, the network and the passphrase",
}
# Silent but for errors: their words go into messages and are never read.
LOGS = ("--log-level-console=off", "--log-level-stderr=error")
PROGRAMS = {".zst": "zstd", ".lz4": "lz4"}


@dataclass(frozen=True)
class Entry:
    size: int
    time: int


@dataclass(frozen=True)
class Slice:
    """A file's bytes in an object of the repository, and the SHA-1 that they have as they lie there."""

    file: str
    offset: int
    length: int
    sha1: str


class Pgbackrest:
    def __init__(self, stanza: str, repo: int | None = None) -> None:
        self.stanza, self.repo = stanza, repo

    def on(self, repo: int) -> Pgbackrest:
        """Without a number most of pgBackRest's commands know the first repository only, even if that is away."""
        return Pgbackrest(self.stanza, repo)

    def run(self, command: str, *arguments: str, changed: str = "Nothing was changed.") -> bytes:
        with self._started(command, *arguments, changed=changed) as output:
            return output.read()

    @contextmanager
    def _started(self, command: str, *arguments: str, changed: str = "Nothing was changed.") -> Iterator[IO[bytes]]:
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(
                    ["pgbackrest", f"--stanza={self.stanza}", *self._where, *LOGS, *arguments, *command.split()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
                    cwd="/",
                )
            except OSError as error:
                raise BackupError(
                    f"pgbackrest cannot be started: {error}. Install it on this host. {changed}"
                ) from error
            with process:
                if process.stdout is None:
                    raise BackupError(f"pgbackrest {command} gives no output. {changed}")
                yield process.stdout
                process.stdout.read()
            if process.returncode:
                errors.seek(0)
                raise failed(command, process.returncode, errors.read().decode(errors="replace"), changed)

    @property
    def _where(self) -> list[str]:
        return [f"--repo={self.repo}"] if self.repo else []

    def info(self) -> list[Stanza]:
        """The stanza as each repository has it; one that cannot be reached is told by its state."""
        return read_info(self.run("info", "--output=json"), self.stanza)

    def listing(self, path: str) -> dict[str, Entry]:
        """All files under a path of the repository. A path that is not there is empty."""
        raw = self.run(f"repo-ls {path}", "--output=json", "--recurse")
        try:
            return {
                name: Entry(int(entry["size"]), int(entry["time"]))
                for name, entry in json.loads(raw).items()
                if entry["type"] == "file"
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackupError(f"pgbackrest repo-ls {path} cannot be read: {error}. Nothing was changed.") from error

    def content(self, path: str) -> bytes:
        """Decrypted, for small files."""
        return self.run(f"repo-get {path}")

    def unpack(self, path: str, into: Path) -> str:
        """Decrypted and decompressed; the SHA-1 of what came out.

        archive-get would do the same, but only where a data directory of this cluster is, and it may be lost.
        """
        digest = hashlib.sha1(usedforsecurity=False)
        with self._started(f"repo-get {path}") as stored, into.open("wb") as target:
            for chunk in _unpacked(stored, path):
                target.write(chunk)
                digest.update(chunk)
        return digest.hexdigest()

    def damaged(self, path: str, slices: Sequence[Slice]) -> list[str]:
        """Files in this object whose bytes are not those that pgBackRest wrote."""
        bad = []
        position = 0
        with self._started(f"repo-get {path}", "--raw") as stored:
            for one in sorted(slices, key=lambda each: each.offset):
                _digest(stored, one.offset - position)
                if _digest(stored, one.length) != one.sha1:
                    bad.append(one.file)
                position = one.offset + one.length
        return bad

    def says_damaged(self, label: str | None) -> bool:
        """pgbackrest verify ends with 0 whatever it finds; it prints only where something is wrong."""
        arguments = ["--output=text", *([f"--set={label}"] if label else [])]
        return bool(self.run("verify", *arguments).strip())


def _unpacked(stored: IO[bytes], path: str) -> Iterator[bytes]:
    suffix = Path(path).suffix
    if suffix in PROGRAMS:
        yield from _through(PROGRAMS[suffix], stored, path)
        return
    inflate: Any = {".gz": lambda: zlib.decompressobj(31), ".bz2": BZ2Decompressor}.get(suffix, lambda: None)()
    try:
        while chunk := stored.read(CHUNK):
            yield inflate.decompress(chunk) if inflate else chunk
    except (OSError, EOFError, zlib.error) as error:
        raise BackupError(f"{path} cannot be decompressed: {error}. Nothing was changed.") from error


def failed(command: str, code: int, errors: str, changed: str) -> BackupError:
    cause = CAUSES.get(code)
    said = short(errors, 600)
    return BackupError(
        f"pgbackrest {command} ended with {code}{f' ({cause})' if cause else ''}: {said or 'it said nothing'}"
        f"{'' if said.endswith('.') else '.'} {changed}",
        code=code,
    )


def _digest(stored: IO[bytes], length: int) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    while length > 0 and (chunk := stored.read(min(length, CHUNK))):
        digest.update(chunk)
        length -= len(chunk)
    return digest.hexdigest()


def _through(program: str, stored: IO[bytes], path: str) -> Iterator[bytes]:
    try:
        process = subprocess.Popen([program, "-dcq"], stdin=stored, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError as error:
        raise BackupError(
            f"{path} cannot be decompressed: {error}. Install the package {program}, or use compress-type=gz. "
            "Nothing was changed.",
            program=program,
        ) from error
    with process:
        if process.stdout is not None:
            while chunk := process.stdout.read(CHUNK):
                yield chunk
    if process.returncode:
        raise BackupError(
            f"{path} cannot be decompressed: {program} ended with {process.returncode}. Nothing was changed."
        )
