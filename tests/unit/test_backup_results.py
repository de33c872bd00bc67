# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a backup, as metrics."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

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
