# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many logs may wait on a disk while the archive is away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

MIB = 1 << 20
# The rest of the disk is the database's, which grows.
SHARE = 4
# As much as an S3 that is away for a day or two asks for.
MOST_MIB = 64 * 1024


def queue_max(mounts: Sequence[Mapping[str, Any]], directory: str) -> str:
    """A quarter of the disk that holds the directory, as pgBackRest reads it; the most where nobody knows its size."""
    path = PurePosixPath(directory)
    sizes = {
        str(one["mount"]): int(one["size_total"])
        for one in mounts
        if one.get("size_total") and path.is_relative_to(one["mount"])
    }
    nearest = max(sizes, key=len, default=None)
    return f"{min(MOST_MIB, sizes[nearest] // SHARE // MIB) if nearest else MOST_MIB}MiB"
