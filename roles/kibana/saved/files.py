# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that the role brings, from the Python."""

from __future__ import annotations

import json
from pathlib import Path

from .content import BOARDS, SEARCHES, VIEWS
from .model import rendered

FILE = Path(__file__).resolve().parents[1] / "files/saved-objects.ndjson"


def wanted() -> str:
    return "".join(json.dumps(one, sort_keys=True) + "\n" for one in rendered(VIEWS, SEARCHES, BOARDS))


def drift() -> list[str]:
    there = FILE.read_text() if FILE.exists() else ""
    return [] if there == wanted() else [f"{FILE.name} is not what roles/kibana/saved says; run bin/docs"]


def write() -> list[Path]:
    """What was written."""
    if not drift():
        return []
    FILE.write_text(wanted())
    return [FILE]
