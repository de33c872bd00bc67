# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that no other can be taken for, and whether it is gone. For Linux."""

from __future__ import annotations

import os
from pathlib import Path

UNKNOWN = "unknown"


def token(pid: int) -> str:
    """This boot of this machine, its space of process numbers, the number, and when the process started."""
    return f"{_place()}/{pid}/{started(pid)}"


def gone(found: str) -> bool:
    """True only where it is certain: a process of another machine, or one that cannot be looked at, counts as alive."""
    place, _slash, process = found.partition("/")
    number, _slash, start = process.partition("/")
    if place == UNKNOWN or place != _place() or not number.isdecimal() or not start:
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return started(int(number)) not in ("", start)


def started(pid: int) -> str:
    """In ticks since boot; `ended` for one whose parent has not buried it, nothing where it cannot be read."""
    try:
        # Behind the name, which may hold anything.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "ended" if state in "ZX" else fields[18]


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return UNKNOWN
