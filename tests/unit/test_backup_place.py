# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A place beside production for one restore."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_scratch.py")
place: Any = sys.modules["backup_place"]
host: Any = sys.modules["backup_host"]
MIB = 1 << 20


def test_room_on_the_disk() -> None:
    place.lacking(100 * MIB, 111 * MIB, "/scratch")
    with pytest.raises(host.Trouble, match=rf"{10 * MIB} bytes \(0.01 GiB\) are missing"):
        place.lacking(100 * MIB, 100 * MIB, "/scratch")
