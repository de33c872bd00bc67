# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill leaves behind, whatever comes of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_scratch.py")
drill: Any = sys.modules["backup_drill"]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(drill, "REPORTS", tmp_path)
    kept = {"rto": 900, "rpo": 300, "keep": 2, "checks": []}
    return SimpleNamespace(stanza="trading", name="db2", drill=kept, metrics=str(tmp_path / "x.prom"))


@pytest.mark.parametrize("problem", [OSError(28, "No space left"), ValueError("not JSON"), KeyError("backup")])
def test_a_drill_that_breaks_off_is_told_of(
    problem: Exception, told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise problem

    monkeypatch.setattr(drill, "rehearse", broken)
    assert drill.drill(told) == 1
    (path,) = tmp_path.glob("*.json")
    assert str(problem) in json.loads(path.read_text())["message"]
    assert "trading_drill_ok 0.0\n" in (tmp_path / "trading_drill.prom").read_text()


def test_a_report_that_cannot_be_read_hides_no_other(
    told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill, "rehearse", lambda *_: None)
    (tmp_path / "20250101T000000Z.json").write_text('{"end": 5, "ok": true}')
    (tmp_path / "20250102T000000Z.json").touch()
    told.drill["keep"] = 9
    drill.drill(told)
    assert "trading_drill_last_success_timestamp_seconds 5.0\n" in (tmp_path / "trading_drill.prom").read_text()


@pytest.mark.parametrize(("keep", "stay"), [(0, 1), (1, 1), (2, 2), (9, 4)])
def test_the_oldest_reports_go(
    keep: int, stay: int, told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill, "rehearse", lambda *_: None)
    for day in "123":
        (tmp_path / f"2025010{day}T000000Z.json").write_text('{"end": 5, "ok": false}')
    told.drill["keep"] = keep
    drill.drill(told)
    assert len(list(tmp_path.glob("*.json"))) == stay
    # The new one is the last to go.
    assert len(list(tmp_path.glob("*.html"))) == 1
