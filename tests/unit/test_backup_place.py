# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A place beside production for one restore."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_scratch.py")
place: Any = sys.modules["backup_place"]
server: Any = sys.modules["backup_server"]
interruption: Any = sys.modules["backup_interruption"]
host: Any = sys.modules["backup_host"]
MIB = 1 << 20


def test_room_on_the_disk() -> None:
    place.lacking(100 * MIB, 111 * MIB, "/scratch")
    with pytest.raises(host.Trouble, match=rf"{10 * MIB} bytes \(0.01 GiB\) are missing"):
        place.lacking(100 * MIB, 100 * MIB, "/scratch")


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def told(tmp_path: Path) -> Any:
    return SimpleNamespace(binaries=str(tmp_path), scratch=str(tmp_path / "scratch"))


@pytest.mark.parametrize("ours", [True, False])
def test_what_is_left_is_cleared_and_nobody_else_is_stopped(
    ours: bool, told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart of the host, the number that a server left behind may be production's."""
    control = Mock(return_value=0)
    monkeypatch.setattr(server.Server, "control", control)
    left = tmp_path / "scratch/run-left"
    (left / "data").mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"], cwd=left / "data" if ours else tmp_path) as process:
        (left / "data/postmaster.pid").write_text(f"{process.pid}\n{left}/data\n")
        with place.scratch(told, 0):
            assert not left.exists()
        process.kill()
    assert control.call_count == ours


def test_an_interruption_while_it_is_removed_leaves_nothing(
    told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = place.Place.remove

    def disturbed(self: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        remove(self)

    monkeypatch.setattr(place.Place, "remove", disturbed)
    interruption.heed("Interrupted.")
    with suppress(SystemExit), place.scratch(told, 0) as one:
        assert one.path.is_dir()
    assert not one.path.exists()
