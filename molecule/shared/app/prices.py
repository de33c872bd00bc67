"""Prices to everybody who listens: one reader of the stream of trades, which a lost connection resumes where it was."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

from aiohttp import WSCloseCode, web
from prometheus_client import Counter, Gauge

from app import market
from app.service import Service
from app.store import REDIS_AWAY, Store, UnavailableError

STREAM = "trades"
# At most so many messages a second, however many trades there are.
PAUSE_SECONDS, HEARTBEAT_SECONDS = 0.2, 1
GOODBYE: dict[str, Any] = {"code": WSCloseCode.GOING_AWAY, "message": b"going away"}
RETURNS = Counter("app_price_returns_squared", "Squared logarithmic returns of all trades, for realised volatility")
OPEN = Gauge("app_websockets", "Open price streams")


def latest(entries: list[tuple[str, dict[str, str]]]) -> list[dict[str, object]]:
    """The last price of each company among entries of the stream."""
    last = {entry["company_id"]: entry for _, entry in entries}
    return [{"company_id": int(company), "price": entry["price"]} for company, entry in sorted(last.items())]


class Prices:
    """The clients and the two tasks that write to them."""

    def __init__(self, service: Service, store: Store) -> None:
        self._service = service
        self._store = store
        self._clients: set[web.WebSocketResponse] = set()
        self._leaving = False
        self._last: dict[str, float] = {}
        self._goodbyes: dict[web.WebSocketResponse, asyncio.Task[bool]] = {}

    async def _send(self, client: web.WebSocketResponse, text: str) -> None:
        try:
            await asyncio.wait_for(client.send_str(text), 2)
        except (TimeoutError, ConnectionError, RuntimeError):
            # Gone, or too slow to listen; its handler ends when the connection does.
            self._clients.discard(client)
            with contextlib.suppress(Exception):
                await client.close(code=WSCloseCode.TRY_AGAIN_LATER)

    async def _tell(self, **message: object) -> None:
        text = json.dumps(message)
        await asyncio.gather(*(self._send(client, text) for client in list(self._clients)))

    async def read(self) -> None:
        client = self._store.redis_client(timeout=5)
        last = "$"
        while True:
            try:
                if last == "$":
                    # What "$" means must not change with each question.
                    newest: Any = await client.xrevrange(STREAM, count=1)
                    last = newest[0][0] if newest else "0"
                answer = await client.xread({STREAM: last}, count=1000, block=1000)
            except REDIS_AWAY:
                await asyncio.sleep(0.5)
                continue
            for _, entries in answer:
                last = entries[-1][0]
                RETURNS.inc(market.squared_returns(self._last, (entry for _, entry in entries)))
                await self._tell(type="prices", prices=latest(entries))
            await asyncio.sleep(PAUSE_SECONDS)

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self._tell(type="heartbeat", time=time.time(), release=self._service.settings.release)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        client = web.WebSocketResponse(heartbeat=20, timeout=2, max_msg_size=1024)
        client.headers.update(self._service.marks(request))
        await client.prepare(request)
        OPEN.inc()
        try:
            rows = await self._store.rows("SELECT id, share_price::text FROM trading.companies ORDER BY id")
            now = [{"company_id": company, "price": price} for company, price in rows]
            await client.send_json({"type": "prices", "prices": now})
            self._clients.add(client)
            async for _ in client:
                pass
            if self._leaving:
                await self._goodbye(client)
        except (ConnectionError, UnavailableError):
            await client.close(code=WSCloseCode.TRY_AGAIN_LATER)
        finally:
            OPEN.dec()
            self._clients.discard(client)
        return client

    def _goodbye(self, client: web.WebSocketResponse) -> asyncio.Task[bool]:
        """Once a client. It ends with the client's answer: a connection cut before that takes the goodbye with it."""
        if client not in self._goodbyes:
            self._goodbyes[client] = asyncio.create_task(client.close(**GOODBYE))
        return self._goodbyes[client]

    async def leave(self) -> None:
        """1001: the client knows that it is us who go, and connects anew."""
        self._leaving = True
        await asyncio.gather(*map(self._goodbye, list(self._clients)), return_exceptions=True)
