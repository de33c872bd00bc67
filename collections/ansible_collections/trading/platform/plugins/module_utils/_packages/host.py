# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads dpkg's files on the host. Raises PackagesError."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.trading.platform.plugins.module_utils._packages.status import (
    Look,
    PackagesError,
    Wanted,
    inventory,
    look,
)

# struct flock: type, whence, start, length, pid; with room for what other architectures put after it.
_FLOCK = struct.Struct("hhqqi4x")


HOME = Path("/var/lib/dpkg")


def read(names: Sequence[Wanted], home: Path) -> Look:
    """What is missing and what was interrupted."""
    try:
        status, *journal = _records(home)
    except OSError as error:
        raise PackagesError(f"dpkg's records can't be read: {error}. Is this a Debian host?") from None
    return look(names, status, journal)


def installed(home: Path = HOME) -> str:
    """All that is installed, for who asks later in the run; nothing on a host without dpkg."""
    try:
        status, *journal = _records(home)
    except OSError:
        return ""
    return inventory(status, journal)


def _records(home: Path) -> list[str]:
    # Names of digits are dpkg's notes of what it is doing; it strikes them when the status file is whole again.
    notes = sorted(path for path in (home / "updates").iterdir() if path.name.isdigit())
    return [path.read_text("utf-8", "replace") for path in (home / "status", *notes)]


def settled(names: Sequence[Wanted], patience: float, home: Path = HOME) -> Look:
    """The same; what looks interrupted while somebody installs is waited for, as it is most likely in good hands."""
    until = time.monotonic() + patience
    while True:
        seen = read(names, home)
        if not seen.interrupted or time.monotonic() >= until or not _somebody_installs(home):
            return seen
        time.sleep(1)


def _somebody_installs(home: Path) -> bool:
    """Whether a process holds the lock of apt and dpkg. Asks only: to take it could disturb one that starts."""
    try:
        with (home / "lock-frontend").open("rb") as file:
            answer = fcntl.fcntl(file, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except FileNotFoundError:
        return False
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
