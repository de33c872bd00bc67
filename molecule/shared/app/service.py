"""What web and api have in common: answers about themselves, numbers, a log line a request, and leaving in order."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import Counter, Gauge, Histogram, generate_latest

from app import inputs, log, statements
from app.settings import Settings
from app.store import UnavailableError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# How long a proxy that asks twice a second, and wants to hear no twice, may go on sending.
NOTICE_SECONDS = 1.5
QUIET = ("/healthz", "/readyz", "/metrics")
REQUESTS = Counter("app_requests", "Requests answered", ["route", "method", "status"])
SECONDS = Histogram(
    "app_request_seconds",
    "Time until the answer",
    ["route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
BUILD = Gauge("app_build_info", "What runs", ["release", "version", "service", "instance"])


def json_text(text: str, status: int = 200) -> web.Response:
    """JSON that is text already."""
    return web.Response(body=text.encode(), status=status, headers={"Content-Type": "application/json; charset=utf-8"})


def failure(status: int, reason: str, **more: object) -> web.Response:
    return web.json_response({"error": reason, **more}, status=status)


class Service:
    """One process; a service adds routes, tasks and what to do when it leaves."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = log.start(settings)
        self.app = web.Application(middlewares=[self._middleware], client_max_size=16 * 1024)
        self.unready: str | None = None
        self.leave: Callable[[], Awaitable[None]] | None = None
        self._began = time.monotonic()
        self._draining = False
        self._in_flight = 0
        self._asked = 0
        BUILD.labels(settings.release, settings.version, settings.service, settings.instance).set(1)

    # --- about itself

    def reason(self) -> str | None:
        """Why no request should come here."""
        if self._draining:
            return "it is shutting down"
        if self.settings.variant == "never-ready":
            return "this is the variant that never gets ready"
        if self.settings.variant == "slow" and time.monotonic() - self._began < self.settings.slow_seconds:
            return f"this is the variant that starts slowly, in {self.settings.slow_seconds} s"
        return self.unready

    async def _healthz(self, _: web.Request) -> web.Response:
        names = ("release", "version", "service", "instance")
        return web.json_response({"status": "alive", **{name: getattr(self.settings, name) for name in names}})

    async def _readyz(self, _: web.Request) -> web.Response:
        reason = self.reason()
        return web.Response(text=f"not ready: {reason}\n", status=503) if reason else web.Response(text="ready\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": "text/plain; version=0.0.4"})

    # --- each request

    def marks(self, request: web.Request) -> dict[str, str]:
        """Who answered what; a WebSocket sends them before the middleware could."""
        marks = {"X-Request-ID": request["id"], "X-Release": self.settings.release}
        if "X-Release-Set" in request.headers:
            marks["X-Release-Set"] = request.headers["X-Release-Set"]
        return marks

    def _broken(self, request: web.Request) -> web.Response | None:
        """What the variants for tests do instead."""
        if self.settings.variant == "error503" and request.path not in ("/healthz", "/metrics"):
            return failure(503, "this is the variant that answers 503")
        if self.settings.variant == "leaky" and request.path.startswith("/api/"):
            self._asked += 1
            # The first of each twenty: a canary's few requests are to meet it, however many processes share them.
            if self._asked % 20 == 1:
                return failure(500, "this is the variant that fails 5 % of requests")
        return None

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            # An answer without headers of its own is falsy: `or` would go on.
            broken = self._broken(request)
            return await handler(request) if broken is None else broken
        except inputs.BadInput as error:
            return failure(400, str(error))
        except web.HTTPException as error:
            answer = failure(error.status, error.reason)
            if "Allow" in error.headers:
                answer.headers["Allow"] = error.headers["Allow"]
            return answer
        except UnavailableError as error:
            answer = failure(503, f"{error}; try again")
            answer.headers["Retry-After"] = "1"
            return answer
        except Exception:
            self.log.exception("failed", extra={"fields": {"request_id": request["id"]}})
            return failure(500, "an error of ours", request_id=request["id"])

    @web.middleware  # type: ignore[untyped-decorator]
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        request["id"] = inputs.request_id(request.headers.get("X-Request-ID"))
        statements.REQUEST.set(request["id"])
        self._in_flight += 1
        try:
            answer = await self._answer(request, handler)
        finally:
            self._in_flight -= 1
        took = time.perf_counter() - began
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "unknown"
        REQUESTS.labels(route, request.method, answer.status).inc()
        if not isinstance(answer, web.WebSocketResponse):
            SECONDS.labels(route, answer.status).observe(took)
        if not answer.prepared:
            answer.headers.update(self.marks(request))
            answer.headers.setdefault("Cache-Control", "no-store")
            if self._draining:
                answer.force_close()
        if route not in QUIET and self.log.isEnabledFor(logging.INFO):
            fields = {
                "request_id": request["id"],
                "method": request.method,
                "route": route,
                "status": answer.status,
                "ms": round(took * 1000, 1),
                "user": request.get("user"),
            }
            self.log.info("request", extra={"fields": fields})
        return answer

    # --- from start to end

    async def keep(self, work: Callable[[], Awaitable[None]]) -> None:
        """A task that is to go on, whatever happens."""
        while True:
            try:
                await work()
            except Exception:
                self.log.exception("a task failed and starts again")
            await asyncio.sleep(1)

    async def run(self) -> int:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        # Last: a request is compared with one route after the other.
        self.app.router.add_get("/healthz", self._healthz)
        self.app.router.add_get("/readyz", self._readyz)
        self.app.router.add_get("/metrics", self._metrics)
        runner = web.AppRunner(self.app, access_log=None, keepalive_timeout=75)
        await runner.setup()
        # Not by a TCPSite: stopping that cuts what is open. In a container of its own, which publishes no port.
        server = await asyncio.get_running_loop().create_server(
            runner.server,
            host="0.0.0.0",  # noqa: S104
            port=self.settings.port,
            backlog=512,
        )
        self.log.info("started", extra={"fields": {"port": self.settings.port, "version": self.settings.version}})
        await stop.wait()
        await self._drain(server)
        await runner.server.shutdown(1)
        await runner.cleanup()
        self.log.info("stopped")
        return 0

    async def _drain(self, server: asyncio.AbstractServer) -> None:
        """Say no to the proxy first, and serve until it has heard; then end what is open."""
        end = time.monotonic() + self.settings.drain_seconds
        self._draining = True
        self.log.info("draining", extra={"fields": {"in_flight": self._in_flight}})
        await asyncio.sleep(min(NOTICE_SECONDS, self.settings.drain_seconds / 2))
        server.close()
        if self.leave:
            await self.leave()
        while self._in_flight and time.monotonic() < end:
            await asyncio.sleep(0.02)
        # An answer is written after the middleware has counted it.
        await asyncio.sleep(0.1)
        if self._in_flight:
            self.log.warning("cut off", extra={"fields": {"in_flight": self._in_flight}})


def forever(work: Awaitable[int]) -> int:
    """An event loop, the fast one."""
    import uvloop  # noqa: PLC0415  # in the image only

    uvloop.install()

    async def main() -> int:
        # What is loaded by now stays, and a request leaves next to nothing that has to be searched for: so seldom.
        gc.freeze()
        gc.set_threshold(20_000)
        return await work

    return asyncio.run(main())
