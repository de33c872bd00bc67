# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an archive lands where. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

DIGEST = re.compile(r"^(?:[0-9a-f]{64}|[0-9a-f]{128})$")
# By the length of its hexadecimal digits.
ALGORITHMS = {64: "sha256", 128: "sha512"}


def algorithm(checksum: str) -> str:
    if not DIGEST.match(checksum):
        raise ValueError(f"checksum is {checksum[:20]!r}..., and must be 64 or 128 hexadecimal digits in lower case.")
    return ALGORITHMS[len(checksum)]


def below(name: str) -> str:
    """The path below the archive's one top directory. Empty for the top itself; ValueError where it would leave it."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts:
        raise ValueError(f"{name} in the archive points outside it. Nothing was unpacked.")
    return "/".join(parts[1:])


def one_top(names: Iterable[str]) -> None:
    tops = {PurePosixPath(name).parts[0] for name in names if PurePosixPath(name).parts}
    if len(tops) != 1:
        raise ValueError(f"the archive has {len(tops)} entries at its top; one directory is expected.")


def mode(bits: int, directory: bool) -> int:
    """Everybody may read, only root may write; what could be run still can."""
    return 0o755 if directory or bits & 0o111 else 0o644
