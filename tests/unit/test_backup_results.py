# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a backup, as metrics."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_run.py")
results: Any = sys.modules["backup_results"]


def test_metrics_leave_out_what_is_not_known() -> None:
    ended = {"schedule": "full", "end": 9.0, "seconds": 3, "ok": False, "last_success": None}
    assert results.metrics([ended]).splitlines() == [
        'trading_backup_last_end_timestamp_seconds{schedule="full"} 9.0',
        'trading_backup_duration_seconds{schedule="full"} 3.0',
        'trading_backup_ok{schedule="full"} 0.0',
    ]


def test_what_came_of_a_run_is_told_whatever_the_last_one_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that went down while it was written leaves an empty file; a schedule that is gone leaves an old one."""
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    (tmp_path / "full.json").touch()
    (tmp_path / "hourly.json").write_text('{"schedule": "hourly", "end": 1, "ok": false}')
    (tmp_path / "incremental.json").write_text('{"schedule": "incremental", "end": 7, "ok": true}')
    told = SimpleNamespace(types={"full": "full", "incremental": "incr"}, metrics=str(tmp_path / "x.prom"))
    results.note(told, {"schedule": "full", "end": 9.0, "ok": False})
    assert (tmp_path / "x.prom").read_text().splitlines() == [
        'trading_backup_last_end_timestamp_seconds{schedule="full"} 9.0',
        'trading_backup_last_end_timestamp_seconds{schedule="incremental"} 7.0',
        'trading_backup_ok{schedule="full"} 0.0',
        'trading_backup_ok{schedule="incremental"} 1.0',
    ]
