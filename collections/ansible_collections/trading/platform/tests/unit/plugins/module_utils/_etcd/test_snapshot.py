# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot's hash, and what its size says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ansible_collections.trading.platform.plugins.module_utils._etcd import snapshot as snapshots
from ansible_collections.trading.platform.plugins.module_utils._etcd.snapshot import (
    Place,
    SnapshotError,
    digest,
    has_digest,
    restored_token,
    stage,
)


@pytest.mark.parametrize(("size", "found"), [(0, False), (32, False), (512, False), (544, True), (543, False)])
def test_has_digest(size: int, found: bool) -> None:
    assert has_digest(size) is found


def test_a_restored_cluster_has_another_token() -> None:
    assert restored_token("trading", "0123456789abcdef") == "trading-0123456789ab"


def snapshot(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (snapshot(b"x" * 1024)[:-7], "cut off"),
        (b"y" + snapshot(b"x" * 1024)[1:], "damaged"),
        (b"x" * 1024, "no hash at its end"),
    ],
)
def test_damaged(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "snapshot"
    file.write_bytes(content)
    with pytest.raises(SnapshotError, match=message):
        digest(file)


def test_whole(tmp_path: Path) -> None:
    file = tmp_path / "snapshot"
    file.write_bytes(snapshot(b"x" * 1024))
    assert digest(file) == hashlib.sha256(b"x" * 1024).hexdigest()


def test_unpacking_that_was_interrupted_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while the files become etcd's: the next run must not take the directory for whole."""
    file, place = tmp_path / "snapshot", Place(tmp_path / "data")
    file.write_bytes(snapshot(b"x" * 1024))
    owned: list[Path] = []

    def unpack(command: list[str]) -> str:
        (place.staged / "member").mkdir(parents=True)
        return " ".join(command)

    def killed(path: Path, *_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(snapshots, "run", unpack)
    monkeypatch.setattr("shutil.chown", killed)
    with pytest.raises(KeyboardInterrupt):
        stage(file, place, "db1", {"db1": "https://10.0.0.1:2380"}, "trading")
    monkeypatch.setattr("shutil.chown", lambda path, *_: owned.append(path))
    assert stage(file, place, "db1", {"db1": "https://10.0.0.1:2380"}, "trading")
    assert place.staged / "member" in owned
    assert not stage(file, place, "db1", {"db1": "https://10.0.0.1:2380"}, "trading")
