# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One at a time on a host: Ctrl-C ends Ansible, and not what it has started there, so the next run waits for it."""

from __future__ import annotations

import fcntl
import time
from typing import IO

POLL = 0.2


def taken(file: IO[str], patience: float) -> bool:
    """Whether the lock is ours within so many seconds; the kernel lets go of it however the process ends."""
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(POLL)
        else:
            return True
