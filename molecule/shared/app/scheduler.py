"""Closes the market once a day: the database sees to it that two schedulers pay each dividend once."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from app import log
from app.loop import until_told
from app.market import last_close
from app.service import forever
from app.settings import Settings
from app.store import Store


class Scheduler:
    def __init__(self, settings: Settings) -> None:
        self.store = Store(settings)
        self.log = log.start(settings)
        self._close = settings.market_close
        self._closed: date | None = None

    async def close_market(self, day: date) -> Any:
        """What was paid, or None for a day that is closed already."""
        text = await self.store.value("SELECT trading.close_market($1)", day)
        done = json.loads(text) if text else None
        self.log.info("market closed" if done else "closed before", extra={"fields": done or {"day": day}})
        return done

    async def round(self) -> None:
        day = last_close(datetime.now(UTC), self._close).date()
        if day == self._closed:
            await self.store.rows("SELECT 1")
        else:
            await self.close_market(day)
            self._closed = day

    async def run(self, day: date | None) -> int:
        await self.store.open()
        if day:
            await self.close_market(day)
        else:
            await until_told(self.round, self.log, pause=1)
        await self.store.close()
        return 0


def run(settings: Settings, arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="app scheduler")
    parser.add_argument("--now", action="store_true", help="close the market once, whatever the time, and end")
    parser.add_argument("--day", type=date.fromisoformat, default=datetime.now(UTC).date(), help="as which day; today")
    asked = parser.parse_args(arguments)
    return forever(Scheduler(settings).run(asked.day if asked.now else None))
