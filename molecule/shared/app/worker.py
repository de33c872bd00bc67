"""Tells both parties of each trade. The stream delivers at least once; the table's key makes that once."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence

from redis import exceptions

from app import log
from app.loop import until_told
from app.prices import STREAM
from app.service import forever
from app.settings import Settings
from app.store import Store

GROUP = "notifications"
# A consumer that holds entries for so long is dead.
DEAD_MS = 30_000
# So long it lets entries gather: told one by one, each trade costs the database a second commit. With 10,000 trades a
# minute and two workers some five wait for each, and an alert is for more than ten.
GATHER_SECONDS, MOST_AT_ONCE = 0.1, 200
# How often to look for dead consumers' entries, and for trades that never reached the stream.
SWEEP_SECONDS = 20
# A consumer that holds nothing and was not heard of for so long has left, or been killed.
FORGET_MS = 3_600_000
TELL = """INSERT INTO trading.notifications (trade_id, user_id, text)
    SELECT t.id, p.user_id, p.verb || t.quantity || ' shares of ' || c.name || ' at ' || t.price
    FROM trading.trades AS t JOIN trading.companies AS c ON c.id = t.company_id
    CROSS JOIN LATERAL (VALUES (t.buyer_id, 'You bought '), (t.seller_id, 'You sold ')) AS p (user_id, verb)
    WHERE {} ON CONFLICT DO NOTHING RETURNING trade_id"""
TELL_THESE = TELL.format("t.id = ANY ($1::bigint[])")
# Numbers are given before commit, so a look has to overlap the one before.
TELL_MISSING = TELL.format(
    "t.id > $1 - 10000 AND t.executed_at < now() - interval '10 s'"
    " AND NOT EXISTS (SELECT FROM trading.notifications AS n WHERE n.trade_id = t.id)"
)


class Worker:
    """One consumer of the group."""

    def __init__(self, settings: Settings) -> None:
        self.store = Store(settings)
        self.log = log.start(settings)
        # Its own alone: entries are a name's, and forgotten with it.
        self.name = f"{settings.service}-{secrets.token_hex(8)}"
        self._blocking = self.store.redis_client(timeout=5)
        self._swept, self._sweep_at = 0, 0.0
        # The first look waits for no entry: a release waits to hear that it got through.
        self._wait_ms = 1

    async def handle(self, entries: list[tuple[str, dict[str, str]]]) -> None:
        """First the effect, then the acknowledgement."""
        if not entries:
            return
        trades = [int(entry["trade_id"]) for _, entry in entries if entry]
        told = await self.store.rows(TELL_THESE, trades)
        await self.store.redis.xack(STREAM, GROUP, *(number for number, _ in entries))
        self.log.info("told", extra={"fields": {"entries": len(entries), "notifications": len(told)}})

    async def sweep(self) -> None:
        start = "0-0"
        while True:
            start, entries, *_ = await self.store.redis.xautoclaim(
                STREAM, GROUP, self.name, min_idle_time=DEAD_MS, start_id=start, count=100
            )
            await self.handle(entries)
            if start == "0-0":
                break
        for other in await self.store.redis.xinfo_consumers(STREAM, GROUP):
            if not other["pending"] and other["idle"] > FORGET_MS:
                await self.store.redis.xgroup_delconsumer(STREAM, GROUP, other["name"])
        newest = await self.store.value("SELECT coalesce(max(id), 0) FROM trading.trades")
        missed = await self.store.rows(TELL_MISSING, self._swept)
        self._swept = newest
        if missed:
            self.log.warning("trades that the stream did not have", extra={"fields": {"notifications": len(missed)}})

    async def round(self) -> None:
        try:
            if time.monotonic() >= self._sweep_at:
                await self.sweep()
                self._sweep_at = time.monotonic() + SWEEP_SECONDS
            answer = await self._blocking.xreadgroup(
                GROUP, self.name, {STREAM: ">"}, count=MOST_AT_ONCE, block=self._wait_ms
            )
            self._wait_ms = 1000
        except exceptions.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self.store.redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
            return
        for _, entries in answer:
            await self.handle(entries)
            if len(entries) < MOST_AT_ONCE:
                await asyncio.sleep(GATHER_SECONDS)

    async def run(self) -> int:
        await self.store.open()
        await until_told(self.round, self.log)
        await self.store.close()
        return 0


def run(settings: Settings, _: Sequence[str]) -> int:
    return forever(Worker(settings).run())
