# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches an archive, compares its checksum, unpacks it beside its place and renames it there. Raises."""

from __future__ import annotations

import hashlib
import shutil
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import IO, Any

from ansible.module_utils.urls import open_url

from .plan import algorithm, below, mode, one_top

STAMP = ".unpacked-from"


class ArchiveError(Exception):
    """What went wrong, where."""


def present(dest: Path, checksum: str) -> bool:
    """Unpacked whole: the stamp is written last."""
    stamp = dest / STAMP
    return stamp.is_file() and stamp.read_text().strip() == checksum


def fetched(source: str, checksum: str, into: Path, timeout: int) -> Path:
    """A file of this host, or what an address gives; only with this checksum."""
    place = into / "archive"
    digest = hashlib.new(algorithm(checksum))
    try:
        with _opened(source, timeout) as stream, place.open("wb") as file:
            while block := stream.read(1 << 20):
                digest.update(block)
                file.write(block)
    except OSError as error:
        raise ArchiveError(
            f"{source} could not be fetched: {error}. Make it reachable from this host, or name another source."
        ) from error
    if digest.hexdigest() != checksum:
        raise ArchiveError(
            f"{source} has checksum {digest.hexdigest()}, not {checksum}. It is another file; nothing was unpacked."
        )
    return place


def _opened(source: str, timeout: int) -> IO[bytes]:
    if source.startswith("/"):
        return Path(source).open("rb")
    answer: Any = open_url(source, timeout=timeout)
    return answer  # type: ignore[no-any-return]


def unpack(archive: Path, into: Path) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            one_top(zipped.namelist())
            for one in zipped.infolist():
                with zipped.open(one) as stream:
                    _land(into, one.filename, one.is_dir(), one.external_attr >> 16, stream)
        return
    try:
        with tarfile.open(archive) as tar:
            one_top(tar.getnames())
            for entry in tar:
                if entry.isdir() or entry.isreg():
                    _land(into, entry.name, entry.isdir(), entry.mode, tar.extractfile(entry))
                elif entry.issym() and "/" not in entry.linkname:
                    (into / below(entry.name)).symlink_to(entry.linkname)
                else:
                    raise ArchiveError(
                        f"{entry.name} in the archive is neither file nor directory. Nothing was unpacked."
                    )
    except tarfile.TarError as error:
        raise ArchiveError(f"neither a zip nor a tar archive: {error}") from error


def _land(into: Path, name: str, directory: bool, bits: int, stream: IO[bytes] | None) -> None:
    path = into / below(name)
    if directory:
        path.mkdir(parents=True, exist_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(stream, file) if stream else None
    path.chmod(mode(stat.S_IMODE(bits), directory))


def install(source: str, checksum: str, dest: Path, timeout: int) -> None:
    """All or nothing: what a killed run left is swept away."""
    dest.parent.mkdir(parents=True, exist_ok=True)
    for left in dest.parent.glob(f".{dest.name}.*"):
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{dest.name}.", dir=dest.parent))
    try:
        tree = work / "tree"
        tree.mkdir()
        unpack(fetched(source, checksum, work, timeout), tree)
        tree.chmod(0o755)
        (tree / STAMP).write_text(f"{checksum}\n")
        if dest.exists():
            dest.rename(work / "old")
        tree.rename(dest)
    finally:
        shutil.rmtree(work, ignore_errors=True)
