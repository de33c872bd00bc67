# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs for backups ask of their host."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_scratch.py")
host: Any = sys.modules["backup_host"]
session: Any = sys.modules["backup_session"]


@pytest.fixture
def psql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Whose place one writes what it does."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program = tmp_path / "psql"
    program.touch(0o755)
    return program


def test_a_postgres_that_stands_still_is_not_waited_for(psql: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    psql.write_text("#!/bin/sh\nexec sleep 5\n")
    monkeypatch.setattr(host, "ANSWER", 0.2, raising=False)
    began = time.monotonic()
    assert not host.is_primary(SimpleNamespace(postgres_port=5432))
    assert time.monotonic() - began < 4


def test_a_connection_answers_whatever_it_warns_of(psql: Path) -> None:
    """As much as no pipe holds: without an end it would wait for ever."""
    warning = "head -c 300000 /dev/zero | tr '\\0' w >&2"
    psql.write_text(f"#!/bin/sh\nread query\n{warning}\necho 7\necho '{session.END.strip()}'\ncat >/dev/null\n")
    with session.Session("trading", "5432") as there:
        guard = threading.Timer(5, there.psql.kill)
        guard.start()
        try:
            assert there.ask("select 7") == "7"
        finally:
            guard.cancel()


def test_what_a_connection_refuses_is_told(psql: Path) -> None:
    psql.write_text("#!/bin/sh\nread query\necho 'ERROR: no such table' >&2\n")
    with (
        session.Session("trading", "5432") as there,
        pytest.raises(host.Trouble, match="ERROR: no such table"),
    ):
        there.ask("select")


@pytest.mark.parametrize("patience", [0, 0.5])
def test_a_lock_that_another_one_holds(patience: float, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with host.held(lock, 0, ""), pytest.raises(host.Trouble, match="busy"), host.held(lock, patience, "busy"):
        pass
    with host.held(tmp_path / "lock", 0, "busy"):
        pass


def test_what_a_program_said_last() -> None:
    with pytest.raises(host.Ended, match=r"^sh ended with 3:\n2\n") as caught:
        host.run("sh", "-c", "seq 9; exit 3")
    assert caught.value.code == 3
