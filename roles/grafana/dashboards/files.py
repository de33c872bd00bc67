# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of the dashboards, where it lies, and whether it is current."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from . import BOARDS
from .pages import page
from .render import document

ROOT = Path(__file__).resolve().parents[3]
FILES = ROOT / "roles/grafana/files/dashboards"
PAGE = ROOT / "docs/dashboards.md"


def wanted() -> dict[Path, str]:
    """Every generated file and its text."""
    found = {FILES / f"{board.uid}.json": document(board) for board in BOARDS}
    return {**found, PAGE: page(BOARDS)}


def drift(files: Mapping[Path, str]) -> list[str]:
    """What is not as it should be, with what to do."""
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    extra = sorted(set(FILES.glob("*.json")) - set(files))
    return [f"{path.relative_to(ROOT)}: has drifted from roles/grafana/dashboards; run bin/docs" for path in stale] + [
        f"{path.relative_to(ROOT)}: no dashboard makes it; run bin/docs" for path in extra
    ]


def write(files: Mapping[Path, str]) -> list[Path]:
    """Renew what has drifted and remove what nothing makes; says which."""
    changed = []
    for path, text in files.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            changed.append(path.relative_to(ROOT))
    for path in sorted(set(FILES.glob("*.json")) - set(files)):
        path.unlink()
        changed.append(path.relative_to(ROOT))
    return changed
