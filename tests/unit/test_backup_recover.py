# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recovery of a restored data directory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
program: Any = imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_recover.py")
host: Any = sys.modules["backup_host"]
server: Any = sys.modules["backup_server"]
FACTS: dict[str, Any] = {"seconds": 1.0, "lines": []}


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is done, in order; stopping ends a server that is there."""
    happened: list[str] = []
    running = subprocess.Popen(["sleep", "60"], cwd=tmp_path)

    def control(_self: Any, *words: str) -> int:
        happened.append(words[-1])
        running.kill()
        running.wait()
        return 0

    def recovered(*_: object) -> dict[str, Any]:
        happened.append("recovered")
        return FACTS

    monkeypatch.setattr(server.Server, "control", control)
    monkeypatch.setattr(program, "recovered", recovered)
    monkeypatch.setattr(program, "LOCK", tmp_path / "lock", raising=False)
    monkeypatch.setattr(program, "RECOVERED", tmp_path / "recovered.json")
    (tmp_path / "pid").write_text(str(running.pid))
    yield happened
    running.kill()
    running.wait()


def ran(data: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(program, "heed", lambda _told: None, raising=False)
    monkeypatch.setattr(sys, "argv", ["backup_recover.py", "--binaries", "/bin", "--data", str(data)])
    return int(program.main())


def runs(data: Path, sockets: str) -> None:
    (data / "postmaster.pid").write_text(f"{(data / 'pid').read_text()}\n{data}\n1\n5432\n{sockets}\n")


def test_recovered_and_stopped(done: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ran(tmp_path, monkeypatch) == 0
    assert done == ["recovered", "stop"]
    assert json.loads((tmp_path / "recovered.json").read_text()).keys() == {*FACTS, "at"}


def test_a_run_that_was_killed_is_gone_on_with(
    done: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(tmp_path, "/tmp/recover-x1y2")
    assert ran(tmp_path, monkeypatch) == 0
    assert done == ["stop", "recovered", "stop"]


def test_an_interruption_stops_the_server(done: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGTERM)
        return FACTS

    monkeypatch.setattr(program, "recovered", interrupted)
    monkeypatch.setattr(sys, "argv", ["backup_recover.py", "--binaries", "/bin", "--data", str(tmp_path)])
    before = {one: signal.signal(one, lambda *_: None) for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        with pytest.raises(SystemExit, match="it has not recovered"):
            program.main()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert done == ["stop"]


def test_a_server_of_somebody_else_is_left_alone(
    done: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs(tmp_path, "/var/run/postgresql")
    assert ran(tmp_path, monkeypatch) == 1
    assert "stop it (systemctl stop patroni)" in capsys.readouterr().err
    assert done == []


def test_a_server_that_does_not_stop_is_no_complete_directory(
    done: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server.Server, "control", lambda _self, *words: 1)
    assert ran(tmp_path, monkeypatch) == 1
    assert "not stopped in good order" in capsys.readouterr().err


@pytest.mark.parametrize("silent", ["checkpoint", "select json"])
def test_a_server_that_dies_at_the_target_has_not_recovered(
    silent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(_self: object, query: str) -> str | None:
        if query.startswith(silent):
            return None
        return '{"timeline": 2, "lsn": "0/1"}' if "json" in query else "f"

    monkeypatch.setattr(server.Server, "start", lambda _self: None)
    monkeypatch.setattr(server.Server, "ask", ask)
    (tmp_path / "log").write_text("PANIC: no space left\n")
    with pytest.raises(host.Trouble, match=r"did not answer to (?s:.)*PANIC: no space left"):
        server.recovered(server.Server(Path("/bin"), tmp_path, tmp_path), 5)
