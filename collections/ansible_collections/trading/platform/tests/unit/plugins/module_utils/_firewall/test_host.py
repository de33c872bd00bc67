# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of steps that keeps a guarded change revertible, with nft and systemd replaced by a list."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from ansible_collections.trading.platform.plugins.module_utils._firewall import host


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    commands: list[tuple[str, ...]] = []

    def run(*command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        del stdin
        commands.append(command)
        return subprocess.CompletedProcess(
            command, int(command[0] == "nft" and (tmp_path / "refuse").exists()), "", "no"
        )

    monkeypatch.setattr(host, "run", run)
    for name in ("PENDING", "PREVIOUS", "REVERTED"):
        monkeypatch.setattr(host, name, tmp_path / name)
    return commands


def test_settle_loads_the_previous_rules_before_it_stops_the_timer(ran: list[tuple[str, ...]]) -> None:
    host.PENDING.write_text("a-token")
    host.settle()
    assert [command[0] for command in ran] == ["nft", "systemctl"]
    assert host.REVERTED.read_text() == "a-token"
    assert not host.PENDING.exists()


def test_settle_leaves_the_timer_armed_when_nft_refuses(ran: list[tuple[str, ...]], tmp_path: Path) -> None:
    host.PENDING.write_text("a-token")
    (tmp_path / "refuse").touch()
    with pytest.raises(host.FirewallError, match="Putting back an earlier unconfirmed change failed"):
        host.settle()
    assert [command[0] for command in ran] == ["nft"]
    assert host.PENDING.exists()


def test_settle_without_a_pending_change_loads_nothing(ran: list[tuple[str, ...]]) -> None:
    host.settle()
    assert [command[0] for command in ran] == ["systemctl"]


def test_write_syncs_the_file_before_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    synced: list[str] = []

    def fsync(handle: int) -> None:
        is_directory = stat.S_ISDIR(os.fstat(handle).st_mode)
        synced.append("directory" if is_directory else f"file, {(tmp_path / 'new' / 'rules').exists()}")

    monkeypatch.setattr(os, "fsync", fsync)
    host.write(tmp_path / "new" / "rules", "text", mode=0o640)
    assert synced == ["file, False", "directory", "directory"]
    assert (tmp_path / "new" / "rules").read_text() == "text"
    assert stat.S_IMODE((tmp_path / "new" / "rules").stat().st_mode) == 0o640
