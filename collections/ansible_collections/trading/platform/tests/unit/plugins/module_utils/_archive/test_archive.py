# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A vendor's archive: what lands where, and what is refused."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from ansible_collections.trading.platform.plugins.module_utils._archive.host import ArchiveError, install, present
from ansible_collections.trading.platform.plugins.module_utils._archive.plan import algorithm, below, mode, one_top


@pytest.mark.parametrize(("name", "path"), [("x-1/bin/run", "bin/run"), ("x-1/", ""), ("x-1", "")])
def test_the_top_directory_is_left_out(name: str, path: str) -> None:
    assert below(name) == path


@pytest.mark.parametrize("name", ["/etc/passwd", "x/../../etc/passwd"])
def test_nothing_leaves_the_place(name: str) -> None:
    with pytest.raises(ValueError, match="points outside"):
        below(name)


@pytest.mark.parametrize(
    ("bits", "directory", "made"), [(0o777, False, 0o755), (0o600, False, 0o644), (0o700, True, 0o755)]
)
def test_only_root_may_write(bits: int, directory: bool, made: int) -> None:
    assert mode(bits, directory) == made


def test_checksums_are_known_by_their_length() -> None:
    assert (algorithm("a" * 64), algorithm("a" * 128)) == ("sha256", "sha512")
    with pytest.raises(ValueError, match="hexadecimal"):
        algorithm("A" * 64)
    with pytest.raises(ValueError, match="2 entries"):
        one_top(["a/b", "c"])


def zipped(path: Path, text: str) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("x-1/bin/run")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, text)
    return hashlib.sha512(path.read_bytes()).hexdigest()


def tarred(path: Path, text: str) -> str:
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("x-1/bin/run")
        entry.size, entry.mode = len(text), 0o700
        archive.addfile(entry, io.BytesIO(text.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("make", [zipped, tarred])
def test_an_archive_is_unpacked_once_and_replaced_whole(tmp_path: Path, make: object) -> None:
    source, dest = tmp_path / "archive", tmp_path / "opt/x"
    checksum = make(source, "one")  # type: ignore[operator]
    assert not present(dest, checksum)
    install(str(source), checksum, dest, 5)
    assert present(dest, checksum)
    assert (dest / "bin/run").read_text() == "one"
    assert (dest / "bin/run").stat().st_mode & 0o777 == 0o755
    (dest / "old").touch()
    again = make(source, "two")  # type: ignore[operator]
    assert not present(dest, again)
    install(str(source), again, dest, 5)
    assert (dest / "bin/run").read_text() == "two"
    assert not (dest / "old").exists()
    assert sorted(path.name for path in dest.parent.iterdir()) == ["x"]


def test_another_file_is_not_unpacked(tmp_path: Path) -> None:
    source, dest = tmp_path / "archive", tmp_path / "opt/x"
    zipped(source, "one")
    with pytest.raises(ArchiveError, match="It is another file"):
        install(str(source), "a" * 64, dest, 5)
    with pytest.raises(ArchiveError, match="could not be fetched"):
        install(str(tmp_path / "none"), "a" * 64, dest, 5)
    assert not dest.exists()
