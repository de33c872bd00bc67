"""Orders, trades and money over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import web
from prometheus_client import Counter, Gauge
from psycopg2 import errors
from redis import exceptions

from app import auth, inputs, market, portfolio, prices
from app.database import said
from app.service import Handler, Service, failure, forever, json_text
from app.settings import Settings
from app.store import REDIS_AWAY, Store
from app.worker import GROUP

SESSION_SECONDS = 8 * 3600
# So long, at most, a session that Redis has forgotten still counts: one question for all that somebody does at a time.
TRUST_SECONDS, TRUSTED_AT_MOST = 5, 10_000
# How long the database or Redis may be away before this says that it is not ready. In a switchover all instances would
# say so at once, and requests that wait are better off than refused ones.
GRACE_SECONDS = 10
# Of the stream of trades, about.
KEPT_TRADES = 100_000
# So long a trade waits for others on its way to the stream.
PUBLISH_SECONDS = 0.1
ORDERS = Counter("app_orders", "Orders placed", ["type"])
TRADES = Counter("app_trades", "Trades made by orders placed here")
TRADED = Counter("app_traded_value", "EUR that these trades moved")
QUEUE = Gauge("app_queue_length", "Trades that no worker has told to their parties yet")
# How often to look at the queue.
QUEUE_SECONDS = 5


class Api:
    """Handlers; the service around them answers for errors."""

    def __init__(self, settings: Settings) -> None:
        self.store = Store(settings)
        self._key = settings.secret("session_key")
        self._trusted: dict[str, tuple[int, float]] = {}
        self._unpublished: list[dict[str, Any]] = []
        # One at a time: a flood of logins must not take the orders' processor.
        self._hashing = ThreadPoolExecutor(max_workers=1)

    async def hashed(self, function: Any, *arguments: str) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._hashing, function, *arguments)

    async def body(self, request: web.Request) -> Any:
        try:
            return inputs.mapping(json.loads(await request.read()))
        except ValueError:
            raise inputs.BadInput("the body is a JSON object") from None

    def signed_in(self, handler: Handler) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            token = auth.bearer(request.headers.get("Authorization", ""), request.cookies.get("session", ""))
            user = await self._user(token)
            if user is None:
                answer = failure(401, "log in first: POST /api/login gives a token for Authorization: Bearer")
                answer.headers["WWW-Authenticate"] = "Bearer"
                return answer
            request["user"] = user
            return await handler(request)

        return checked

    async def _user(self, token: str) -> int | None:
        """Whose session this is, if it still counts."""
        now = time.monotonic()
        user, until = self._trusted.get(token, (None, 0.0))
        if user is not None and now < until:
            return user
        user = auth.user_of(self._key, token)
        if user is None or not await self.store.remembered(lambda redis: redis.exists(auth.session_key(token))):
            return None
        if len(self._trusted) >= TRUSTED_AT_MOST:
            self._trusted.clear()
        self._trusted[token] = user, now + TRUST_SECONDS
        return user

    # --- who

    async def register(self, request: web.Request) -> web.StreamResponse:
        body = await self.body(request)
        email, password = inputs.credentials(body, shortest=10)
        name = inputs.full_name(body)
        hashed = await self.hashed(auth.hash_password, password)
        try:
            user = await self.store.value(
                "INSERT INTO trading.users (email, password_hash, full_name) VALUES ($1, $2, $3) RETURNING id",
                *(email, hashed, name),
                safe=False,
            )
        except errors.UniqueViolation:
            return failure(409, "this email is registered already")
        return web.json_response({"id": user}, status=201)

    async def login(self, request: web.Request) -> web.StreamResponse:
        email, password = inputs.credentials(await self.body(request))
        rows = await self.store.rows(
            "SELECT id, password_hash FROM trading.users WHERE lower(email) = lower($1)", email
        )
        user, hashed = rows[0] if rows else (0, auth.NOBODY)
        if not await self.hashed(auth.password_matches, password, hashed):
            return failure(401, "email or password is wrong")
        token = auth.make_token(self._key, user)
        await self.store.remembered(lambda redis: redis.set(auth.session_key(token), user, ex=SESSION_SECONDS))
        answer = web.json_response({"token": token, "expires_in": SESSION_SECONDS})
        answer.set_cookie("session", token, max_age=SESSION_SECONDS, httponly=True, secure=True, samesite="Strict")
        return answer

    # --- orders

    async def place(self, request: web.Request) -> web.StreamResponse:
        key = inputs.idempotency_key(request.headers.get("Idempotency-Key"))
        order = inputs.order(await self.body(request))
        try:
            text = await self.store.value(
                "SELECT trading.place_order($1, $2, $3, $4, $5, $6)", request["user"], *order, key
            )
        except errors.ForeignKeyViolation:
            return failure(404, f"there is no company {order.company_id}")
        except errors.UniqueViolation:
            return failure(409, "this Idempotency-Key belongs to another order")
        except errors.CheckViolation as error:
            return failure(422, said(error))
        placed = json.loads(text)
        # Again after a retry, too: the first answer may have been lost before the stream heard of it.
        if placed["trades"]:
            self._unpublished += [
                {"trade_id": trade["id"], "company_id": placed["company_id"], "price": trade["price"]}
                for trade in placed["trades"]
            ]
        if placed.get("replayed"):
            return json_text(text)
        ORDERS.labels(order.type).inc()
        TRADES.inc(len(placed["trades"]))
        TRADED.inc(sum(trade["quantity"] * float(trade["price"]) for trade in placed["trades"]))
        return json_text(text, 201)

    async def publish(self) -> None:
        """What is lost here, the worker's sweep finds in the database; an order that stands must not fail for it."""
        entries, self._unpublished = self._unpublished, []
        if not entries:
            return
        pipeline = self.store.redis.pipeline(transaction=False)
        for entry in entries:
            pipeline.xadd(prices.STREAM, entry, maxlen=KEPT_TRADES, approximate=True)
        with contextlib.suppress(*REDIS_AWAY):
            await pipeline.execute()

    async def keep_publishing(self) -> None:
        while True:
            await self.publish()
            await asyncio.sleep(PUBLISH_SECONDS)

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        user, order = request["user"], int(request.match_info["id"])
        done = await self.store.value(
            "UPDATE trading.orders SET status = 'cancelled' WHERE id = $1 AND user_id = $2"
            " AND status IN ('open', 'partial') RETURNING id",
            *(order, user),
        )
        status = "cancelled" if done else await self.store.value(
            "SELECT status FROM trading.orders WHERE id = $1 AND user_id = $2", order, user
        )  # fmt: skip
        if status is None:
            return failure(404, f"you have no order {order}")
        if status == "filled":
            return failure(409, f"order {order} is filled")
        # Cancelled before, perhaps by the first try of this very request: the same answer.
        return web.json_response({"id": order, "status": "cancelled"})

    # --- looking

    async def orders(self, request: web.Request) -> web.StreamResponse:
        """The newest; or with ?after=ID those that follow it, oldest first."""
        after, limit = inputs.page(request.query)
        order = "DESC" if after is None else "ASC"
        text = await self.store.value(OWN_ORDERS.format(order=order), request["user"], after or 0, limit)
        orders = json.loads(text)
        more = after is not None and len(orders) == limit
        return web.json_response({"orders": orders, "next": orders[-1]["id"] if more else None})

    def listing(self, sql: str, name: str, own: bool = True) -> Handler:
        """Rows as JSON; an own list is of the user in $1."""

        async def handler(request: web.Request) -> web.StreamResponse:
            text = await self.store.value(
                f"SELECT coalesce(json_agg(r), '[]') FROM ({sql}) AS r",  # noqa: S608  # constants below
                *([request["user"]] if own else []),
            )
            return json_text(f'{{"{name}": {text}}}')

        return self.signed_in(handler) if own else handler


OWN_ORDERS = """SELECT coalesce(json_agg(r), '[]') FROM (
        SELECT id, company_id, type, quantity, filled, price::text, status, request_key AS idempotency_key, created_at
        FROM trading.orders WHERE user_id = $1 AND id > $2 ORDER BY id {order} LIMIT $3
    ) AS r"""
OWN_TRADES = """SELECT id, company_id, CASE buyer_id WHEN $1 THEN 'buy' ELSE 'sell' END AS type, quantity, price::text,
        executed_at
    FROM trading.trades WHERE buyer_id = $1 OR seller_id = $1 ORDER BY id DESC LIMIT 100"""
MARKET_TRADES = """SELECT t.id, t.company_id, c.name AS company, t.quantity, t.price::text, t.executed_at
    FROM (SELECT * FROM trading.trades ORDER BY id DESC LIMIT 50) AS t
    JOIN trading.companies AS c ON c.id = t.company_id
    ORDER BY t.id DESC"""
COMPANIES = "SELECT id, name, share_price::text AS price, total_shares FROM trading.companies ORDER BY id LIMIT 1000"
BALANCES = """SELECT asset, CASE asset WHEN 'EUR' THEN balance ELSE trunc(balance) END::text AS balance
    FROM ledger.accounts WHERE user_id = $1 ORDER BY id"""
DIVIDENDS = """SELECT d.id, d.company_id, c.name AS company, d.amount::text, d.status, d.declared_at
    FROM trading.dividends AS d JOIN trading.companies AS c ON c.id = d.company_id
    WHERE $1::bigint IS NOT NULL ORDER BY d.id DESC LIMIT 100"""


async def _watch(service: Service, store: Store) -> None:
    """Keeps the readiness: strict before the first yes, patient afterwards."""
    good = -float(GRACE_SECONDS)
    service.unready = "the first look at the database and Redis is not done"
    while True:
        problem = await store.problem()
        if not problem:
            good, service.unready = time.monotonic(), None
        elif time.monotonic() - good >= GRACE_SECONDS:
            service.unready = problem
        await asyncio.sleep(1)


async def _count(store: Store) -> None:
    """Keeps the queue's length; the last one known while Redis is away."""
    while True:
        with contextlib.suppress(*REDIS_AWAY):
            try:
                QUEUE.set(market.waiting(await store.redis.xinfo_groups(prices.STREAM), GROUP))
            except exceptions.ResponseError:
                # Nobody has traded yet: there is no stream.
                QUEUE.set(0)
        await asyncio.sleep(QUEUE_SECONDS)


async def _serve(settings: Settings) -> int:
    service, api = Service(settings), Api(settings)
    stream = prices.Prices(service, api.store)
    await api.store.open()
    route = service.app.router
    route.add_post("/api/orders", api.signed_in(api.place))
    route.add_post("/api/register", api.register)
    route.add_post("/api/login", api.login)
    route.add_delete(r"/api/orders/{id:\d{1,18}}", api.signed_in(api.cancel))
    route.add_get("/api/orders", api.signed_in(api.orders))
    route.add_get("/api/trades", api.listing(MARKET_TRADES, "trades", own=False))
    route.add_get("/api/trades/mine", api.listing(OWN_TRADES, "trades"))
    route.add_get("/api/balances", api.listing(BALANCES, "balances"))
    route.add_get("/api/dividends", api.listing(DIVIDENDS, "dividends"))
    route.add_get("/api/companies", api.listing(COMPANIES, "companies", own=False))
    route.add_get("/ws/prices", stream.handle)
    service.leave = stream.leave
    works = (
        lambda: _watch(service, api.store),
        lambda: _count(api.store),
        lambda: portfolio.count(api.store),
        api.keep_publishing,
        stream.read,
        stream.beat,
    )
    tasks = [asyncio.create_task(service.keep(work)) for work in works]
    try:
        return await service.run()
    finally:
        for task in tasks:
            task.cancel()
        await api.publish()
        await api.store.close()


def run(settings: Settings, _: Sequence[str]) -> int:
    return forever(_serve(settings))
