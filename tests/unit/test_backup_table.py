# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table or a database of a moment, under a new name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_scratch.py")
table: Any = sys.modules["backup_table"]
session: Any = sys.modules["backup_session"]


@pytest.mark.parametrize("text", ["plain", "o'clock", "''"])
def test_a_text_in_a_query(text: str) -> None:
    assert session.literal(text) == "'" + text.replace("'", "''") + "'"
