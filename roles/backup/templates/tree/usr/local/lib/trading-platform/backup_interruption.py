"""What somebody who ends a program is told, once it has cleared up. Managed by Ansible (role backup)."""

from __future__ import annotations

import signal

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def ignore() -> None:
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)


def heed(told: str) -> None:
    """The first one ends the program; those after it would disturb the clearing up."""

    def interrupted(*_: object) -> None:
        ignore()
        raise SystemExit(told)

    for one in SIGNALS:
        # Under nohup one is ignored already.
        if signal.getsignal(one) != signal.SIG_IGN:
            signal.signal(one, interrupted)
