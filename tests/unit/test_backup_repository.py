# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository: made where it is missing, and given all that was written."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_run.py")
repository: Any = sys.modules["backup_repository"]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"code": 1}, "made the stanza trading\nThere is no backup yet.\n"),
        ({"code": 2}, "There is no backup yet.\n"),
        # The first one runs: it takes hours, and site.yml is run again meanwhile.
        ({"code": 2, "lock": {"backup": {"held": True}}}, ""),
        ({"code": 0, "lock": {"backup": {"held": False}}}, ""),
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
    monkeypatch.setattr(repository, "is_primary", lambda _told: True)
    monkeypatch.setattr(repository, "info", lambda _told: {"status": status})
    monkeypatch.setattr(repository, "created", lambda _told: None)
    repository.prepare(told)
    assert capsys.readouterr().out == says
