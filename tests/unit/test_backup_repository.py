# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository: made where it is missing, and given all that was written."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_run.py")
host: Any = sys.modules["backup_host"]
repository: Any = sys.modules["backup_repository"]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"code": 1}, "made the stanza trading\nThere is no backup yet.\n"),
        ({"code": 2}, "There is no backup yet.\n"),
        # The first one runs: it takes hours, and site.yml is run again meanwhile.
        ({"code": 2, "lock": {"backup": {"held": True}}}, ""),
        ({"code": 0, "lock": {"backup": {"held": False}}}, ""),
        # A second repository: it came later, and its stanza is there.
        ({"code": 4, "of": [0, 3]}, "made the stanza trading\nThere is no backup yet.\n"),
        ({"code": 4, "of": [0, 2]}, "There is no backup yet.\n"),
        # The other one serves.
        ({"code": 4, "of": [99, 0]}, "The repository's state is 99: see pgbackrest --stanza=trading info.\n"),
    ],
)
def test_a_first_backup_is_asked_for_until_there_is_one(
    status: dict[str, Any],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    told = SimpleNamespace(stanza="trading", data=str(tmp_path))
    repositories = [{"key": key, "status": {"code": code}} for key, code in enumerate(status.get("of", []), 1)]
    monkeypatch.setattr(repository, "is_primary", lambda _told: True)
    monkeypatch.setattr(repository, "info", lambda _told: {"status": status, "repo": repositories})
    monkeypatch.setattr(repository, "created", lambda _told: None)
    repository.prepare(told)
    assert capsys.readouterr().out == says


def flushed(monkeypatch: pytest.MonkeyPatch, switched: str) -> None:
    def answer(_told: object, query: str) -> str:
        return switched if "pg_switch_wal" in query else "000000010000000000000006"

    monkeypatch.setattr(repository, "FLUSH", 0)
    monkeypatch.setattr(repository, "is_primary", lambda _told: True)
    monkeypatch.setattr(repository, "asked_postgres", answer)
    repository.flush(SimpleNamespace())


def test_the_archive_has_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    flushed(monkeypatch, "000000010000000000000006")
    assert capsys.readouterr().out == "The archive has all up to 000000010000000000000006.\n"


def test_the_archive_has_not_got_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(host.Trouble, match="has not got 000000010000000000000007 within"):
        flushed(monkeypatch, "000000010000000000000007")


def test_an_end_that_nobody_told_is_not_in_the_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(host.Trouble, match="did not say how far its log goes"):
        flushed(monkeypatch, "")


def test_a_log_that_is_not_begun_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a log's first byte PostgreSQL 17 names that log, older ones the log before."""
    asked = Mock(return_value="06")
    monkeypatch.setattr(repository, "is_primary", lambda _told: True)
    monkeypatch.setattr(repository, "asked_postgres", asked)
    repository.flush(SimpleNamespace())
    assert "pg_walfile_name(pg_switch_wal() - 1)" in asked.call_args_list[0].args[1]


@pytest.mark.parametrize("status", [{"code": 99}, {"code": 4, "of": [2, 99]}])
def test_a_repository_that_cannot_be_read(status: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    repositories = [{"status": {"code": code}} for code in status.get("of", [])]
    monkeypatch.setattr(repository, "is_primary", lambda _told: True)
    monkeypatch.setattr(repository, "info", lambda _told: {"status": status, "repo": repositories})
    with pytest.raises(host.Trouble, match="The repository's state is 99"):
        repository.prepare(SimpleNamespace(stanza="trading"))
