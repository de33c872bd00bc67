# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that carries one run's durations to the next. Raises OSError; to the callback that does not matter."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# A history of ten thousand tasks is under one MiB: more is not ours.
_MAX_BYTES = 4 * 1024 * 1024


def load(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.read(_MAX_BYTES).decode("utf-8", "replace")


def save(path: Path, text: str) -> None:
    """Write beside and rename: two runs at once leave one whole file, whichever came last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".progress-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
