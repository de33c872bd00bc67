"""The load itself: requests at fixed moments, whatever became of the ones before, and sockets that come back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from traffic import api, figures
from traffic.api import Ask, User

TICK = 0.005
# So many unanswered requests are an outage; more would only say so later.
MOST_IN_FLIGHT = 1000
# Below any proxy's own: no request must meet a connection that the other side is just closing.
KEPT_IDLE = 5.0
# Prices come at least every second.
SILENT_AFTER = 5.0
BETWEEN_TRIES = 0.05
READY_SECONDS = 2
TRANSPORT = (aiohttp.ClientError, OSError, TimeoutError)


@dataclass(frozen=True)
class Limits:
    """What the load is, and where it ends."""

    seconds: float = 60.0
    rate: float = 200.0
    sockets: int = 20
    users: int = 20
    mix: str = "mixed"
    timeout: float = 10.0


@dataclass(frozen=True)
class Market:
    """Who trades: <run>-0@trading.test and so on; the first of them own a company each."""

    run: str
    companies: Sequence[int]
    password: str


class Front(AbstractResolver):  # type: ignore[misc]  # aiohttp is on hosts only
    """Every name is the load balancers' address: TLS still asks for the domain, and checks it."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[dict[str, Any]]:
        found = {"hostname": host, "host": self.address, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
        return [found]

    async def close(self) -> None:
        """Nothing is open."""


def reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}"[:200]


def released(headers: Any) -> str:
    """By which release on which set a response was made."""
    return f"{headers.get('X-Release', '-')} {headers.get('X-Release-Set', '-')}"


@dataclass
class Load:
    """One run. Everything happens on one event loop, so nothing here needs a lock."""

    domain: str
    address: str
    trusted: str
    market: Market
    limits: Limits
    handshake: bool = False
    second: figures.Second = field(default_factory=figures.Second)
    told: list[dict[str, Any]] = field(default_factory=list)
    releases: dict[str, tuple[float, str]] = field(default_factory=dict)
    acknowledged: dict[int, str] = field(default_factory=dict)
    in_flight: set[asyncio.Task[None]] = field(default_factory=set)
    open_sockets: int = 0
    last_success: float = 0.0
    pulsed: float = 0.0

    def __post_init__(self) -> None:
        self.stop = asyncio.Event()
        self.urls: dict[str, URL] = {}

    def url(self, path: str) -> URL:
        if path not in self.urls:
            self.urls[path] = URL(f"https://{self.domain}{path}")
        return self.urls[path]

    async def ask(self, ask: Ask) -> tuple[int, Any, bytes]:
        call = self.session.request(
            ask.method, self.url(ask.path), headers=ask.headers, json=ask.body or None, allow_redirects=False
        )
        async with call as answer:
            return answer.status, answer.headers, await answer.read()

    async def must(self, ask: Ask) -> Any:
        """For the preparation and the comparison, which stand on it: tried again for a while, then an error."""
        problem = None
        for _attempt in range(20):
            try:
                status, _headers, body = await self.ask(ask)
                problem = api.wrong(ask, status, body)
            except TRANSPORT as error:
                problem = reason(error)
            if not problem:
                return json.loads(body)
            # Another load may have logged in from the same addresses within this minute.
            await asyncio.sleep(5 if problem.startswith("429") else 0.5)
        raise RuntimeError(f"cannot {ask.kind}: {problem}")

    async def prepare(self) -> api.Mix:
        """Everybody logs in, the makers first, and those put their shares on sale."""
        users = []
        for number in range(len(self.market.companies) + self.limits.users):
            asked = api.login(self.market.run, number, self.market.password)
            users.append(User(asked.address, str((await self.must(asked))["token"])))
        for maker, company in zip(users, self.market.companies, strict=False):
            await self.must(api.order(maker, company, "sell", api.SHARES, f"{self.market.run}-{company}"))
        self.users = users[len(self.market.companies) :]
        return api.Mix(self.limits.mix, self.users, self.market.companies)

    async def one(self, ask: Ask, due: float) -> None:
        sent = time.monotonic()
        try:
            status, headers, body = await self.ask(ask)
            problem = api.wrong(ask, status, body)
            if problem:
                problem += f" [{released(headers)}, request {headers.get('X-Request-ID', '-')}]"
        except TRANSPORT as error:
            problem = f"{reason(error)} for {ask.method} {ask.path}"
        now = time.monotonic()
        self.second.requests += 1
        if problem:
            self.failed(problem)
            return
        self.second.latencies[figures.bucket((now - due) * 1000)] += 1
        self.succeeded(now)
        self.answered(ask.key, released(headers), sent)
        if ask.kind == "order":
            self.traded(ask, json.loads(body))

    def failed(self, problem: str) -> None:
        self.second.failed += 1
        self.second.errors[problem] += 1

    def succeeded(self, now: float) -> None:
        self.second.gap = max(self.second.gap, now - self.last_success)
        self.last_success = now

    def answered(self, key: str, release: str, sent: float) -> None:
        self.second.releases[release] += 1
        before = self.releases.get(key)
        # An answer to what was sent earlier says nothing of where the key is by now.
        if before and sent < before[0]:
            return
        if before and before[1] != release:
            self.second.moved.append([round(sent, 3), key, before[1], release, round(before[0], 3)])
        self.releases[key] = sent, release

    def traded(self, ask: Ask, order: dict[str, Any]) -> None:
        known = self.acknowledged.setdefault(order["id"], ask.reference)
        if known != ask.reference:
            self.failed(f"order {order['id']} answers two keys")
        self.second.trades += order.get("status") == "filled"

    async def requests(self, mix: api.Mix) -> None:
        began, sent = time.monotonic(), 0
        while not self.stop.is_set():
            now = time.monotonic()
            if now - began > self.limits.seconds:
                break
            while sent <= (now - began) * self.limits.rate:
                due = began + sent / self.limits.rate
                sent += 1
                if len(self.in_flight) >= MOST_IN_FLIGHT:
                    self.second.requests += 1
                    self.failed(f"not sent: {MOST_IN_FLIGHT} requests are unanswered")
                    continue
                task = asyncio.create_task(self.one(next(mix), due))
                self.in_flight.add(task)
                task.add_done_callback(self.in_flight.discard)
            await asyncio.sleep(TICK)
        if self.in_flight:
            await asyncio.wait(self.in_flight, timeout=self.limits.timeout + 1)

    async def keep_socket(self, number: int) -> None:
        headers = {"X-Forwarded-For": api.ADDRESSES[-1 - number]}
        ended: tuple[float, Any, str] | None = None
        while True:
            try:
                opening = self.session.ws_connect(self.url(api.SOCKET), headers=headers, timeout=2.0)
                connected = await asyncio.wait_for(opening, self.limits.timeout)
            except TRANSPORT as error:
                self.second.requests += 1
                self.failed(f"{reason(error)} for {api.SOCKET}")
                await asyncio.sleep(BETWEEN_TRIES)
                continue
            release = released(connected._response.headers)
            if ended:
                back = {"code": ended[1], "back_s": round(time.monotonic() - ended[0], 3), "from": ended[2]}
                self.second.returned.append({**back, "to": release})
            self.open_sockets += 1
            try:
                code = await self.listen(connected)
            finally:
                self.open_sockets -= 1
            ended = time.monotonic(), code, release

    async def listen(self, connected: aiohttp.ClientWebSocketResponse) -> int | str:
        """Until it ends: the close code, or why there is none."""
        try:
            while True:
                message = await connected.receive(timeout=SILENT_AFTER)
                if message.type is aiohttp.WSMsgType.CLOSE:
                    # What was said to us. close_code becomes 1006 where our answer came too late for the other end.
                    return int(message.data or 1005)
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return connected.close_code or str(message.type.name)
        except TimeoutError:
            await connected.close()
            return "silent"

    async def pulses(self) -> None:
        """A line each second; READY when the load has run for a while without a failure."""
        steady = 0
        while True:
            await asyncio.sleep(1)
            told = self.pulse()
            well = told["requests"] >= 0.9 * self.limits.rate * told["seconds"] and not told["failed"]
            steady = steady + 1 if well and self.open_sockets == self.limits.sockets else 0
            if steady == READY_SECONDS:
                rate = round(told["requests"] / told["seconds"])
                self.say("READY", {"t": told["t"], "rate": rate, "p95_ms": figures.summary([told])["p95_ms"]})

    def pulse(self) -> dict[str, Any]:
        now = time.monotonic()
        second, self.second = self.second, figures.Second()
        second.gap = max(second.gap, now - self.last_success)
        second.seconds, self.pulsed = now - self.pulsed, now
        second.open_sockets = self.open_sockets
        self.told.append(second.told(now))
        self.say("PULSE", self.told[-1])
        return self.told[-1]

    def say(self, word: str, value: dict[str, Any]) -> None:
        if self.handshake:
            sys.stdout.write(f"{word} {json.dumps(value)}\n")
            sys.stdout.flush()

    async def compare(self) -> dict[str, Any]:
        """What was acknowledged against what the users' lists hold, by the same way in."""
        present: list[tuple[int, str | None]] = []
        for user in self.users:
            after: int | None = 0
            while after is not None:
                listed, after = api.order_page(await self.must(api.orders(user, after)))
                present += listed
        return figures.orders(self.acknowledged, present)

    async def go(self) -> dict[str, Any]:
        context = ssl.create_default_context(cafile=self.trusted)
        connector = aiohttp.TCPConnector(
            resolver=Front(self.address), ssl=context, limit=0, keepalive_timeout=KEPT_IDLE, use_dns_cache=False
        )
        timeout = aiohttp.ClientTimeout(total=self.limits.timeout)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        ) as self.session:
            mix = await self.prepare()
            began, used = time.monotonic(), time.process_time()
            self.pulsed = self.last_success = began
            background = [asyncio.create_task(self.keep_socket(number)) for number in range(self.limits.sockets)]
            background.append(asyncio.create_task(self.pulses()))
            await self.requests(mix)
            share = (time.process_time() - used) / (time.monotonic() - began)
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            # The sockets that this end has just closed are not missing.
            self.open_sockets = self.limits.sockets
            self.pulse()
            result = {**figures.summary(self.told), "strays": figures.strays(self.told), "cpu_share": round(share, 3)}
            result |= {"orders": await self.compare()}
        return result if self.handshake else {**result, "by_second": self.told}


def stop_at_the_end_of_stdin(stop: Callable[[], None]) -> None:
    """Whoever started this is gone, or wants the result."""
    loop = asyncio.get_running_loop()

    def readable() -> None:
        with contextlib.suppress(BlockingIOError):
            if not os.read(0, 1024):
                loop.remove_reader(0)
                stop()

    loop.add_reader(0, readable)
