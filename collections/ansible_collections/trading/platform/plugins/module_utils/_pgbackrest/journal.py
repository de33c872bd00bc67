# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long earlier restores took, in a small file, for an estimate of the next."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

KEPT = 50
# Below that the time is that of starting, and says nothing of a rate.
TELLING = 1 << 20


def read_journal(text: str) -> list[dict[str, Any]]:
    """A damaged journal is an empty one: it only feeds an estimate."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def estimate(entries: Sequence[dict[str, Any]], size: int) -> float | None:
    """Seconds for so many bytes at the median rate of earlier restores."""
    rates = [
        one["seconds"] / one["bytes"]
        for one in entries
        if one.get("action") == "restore"
        and isinstance(one.get("seconds"), (int, float))
        and isinstance(one.get("bytes"), int)
        and one["bytes"] >= min(TELLING, size or TELLING)
    ]
    return round(statistics.median(rates) * size, 1) if rates else None


class Journal:
    def __init__(self, path: str | None) -> None:
        self.path = Path(path) if path else None

    def entries(self) -> list[dict[str, Any]]:
        if self.path is None or not self.path.exists():
            return []
        return read_journal(self.path.read_text(encoding="utf-8", errors="replace"))

    def add(self, entry: dict[str, Any]) -> None:
        if self.path is None:
            return
        new = self.path.with_name(f"{self.path.name}.new")
        new.write_text(json.dumps([*self.entries(), entry][-KEPT:], indent=1) + "\n", encoding="utf-8")
        new.replace(self.path)
