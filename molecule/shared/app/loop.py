"""What worker and scheduler have in common: work, say that all is well, leave when told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from app.store import REDIS_AWAY, UnavailableError

# There while the last round went well, and young; `python3 -m app healthy` looks.
HEALTH = Path("/tmp/healthy")  # a container's own tmpfs


async def until_told(work: Callable[[], Awaitable[None]], log: logging.Logger, pause: float = 0) -> None:
    """Rounds of work until SIGTERM, with a pause between two; the round that runs ends first."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    log.info("started")
    away = False
    while not stop.is_set():
        try:
            await work()
            HEALTH.touch()
            away = False
            await rest(stop, pause)
        except (UnavailableError, *REDIS_AWAY) as error:
            HEALTH.unlink(missing_ok=True)
            if not away:
                log.warning("waiting", extra={"fields": {"reason": str(error) or type(error).__name__}})
            away = True
            await rest(stop, 0.5)
        except Exception:
            HEALTH.unlink(missing_ok=True)
            log.exception("failed")
            await rest(stop, 1)
    HEALTH.unlink(missing_ok=True)
    log.info("stopped")


async def rest(stop: asyncio.Event, seconds: float) -> None:
    """Who is told to leave does not finish a rest first."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
