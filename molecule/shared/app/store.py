"""The database and Redis, over their switchovers: reconnect, and try again what may be tried again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import redis.asyncio
from redis import exceptions

from app.settings import Settings

T = TypeVar("T")
# How long one statement may take, and how long a request waits for a switchover in all.
STATEMENT_SECONDS, PATIENCE_SECONDS = 8, 15
# The connection went away, the server was stopped or is not the primary, or two transactions stood in each other's way.
PASSING = ("08", "57P", "25006", "40001", "40P01", "53")
AWAY = (OSError, asyncio.TimeoutError, asyncpg.InterfaceError)
REDIS_AWAY = (
    *(exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ReadOnlyError, exceptions.BusyLoadingError),
    *(OSError, asyncio.TimeoutError),
)
# A release needs all migrations that it carries; newer ones do not hurt it.
SCHEMA = max(int(path.name[:4]) for path in (Path(__file__).parent / "migrations").glob("*.sql"))


class UnavailableError(Exception):
    """What does not answer."""


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    def get_reset_query(self) -> str:
        """Behind pgbouncer's transactions a session has nothing to reset."""
        return ""


class Store:
    """Both, opened when first used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: Any = None
        self.redis = self.redis_client(timeout=2)

    def redis_client(self, timeout: float) -> Any:
        settings = self._settings
        return redis.asyncio.Redis(
            host=settings.text("REDIS_HOST"),
            port=settings.number("REDIS_PORT", 6379, lowest=1),
            username="app",
            password=settings.secret("redis_password"),
            socket_timeout=timeout,
            socket_connect_timeout=2,
            socket_keepalive=True,
            decode_responses=True,
        )

    async def open(self) -> None:
        settings = self._settings
        self._pool = await asyncpg.create_pool(
            host=settings.text("DATABASE_HOST"),
            port=settings.number("DATABASE_PORT", 6432, lowest=1),
            database=settings.text("DATABASE_NAME"),
            user=settings.text("DATABASE_USER"),
            password=settings.secret("database_password"),
            ssl=False,
            min_size=0,
            max_size=10,
            timeout=5,
            command_timeout=STATEMENT_SECONDS,
            # pgbouncer hands each transaction to another server connection.
            statement_cache_size=0,
            connection_class=_Connection,
        )

    async def close(self) -> None:
        await self.redis.close()
        self._pool.terminate()

    async def once(self, sql: str, *arguments: object) -> list[Any]:
        """In a transaction: only there parsing and running meet the same server connection."""
        async with self._pool.acquire(timeout=STATEMENT_SECONDS) as connection, connection.transaction():
            return list(await connection.fetch(sql, *arguments))

    async def rows(self, sql: str, *arguments: object, safe: bool = True) -> list[Any]:
        """Rows; a `safe` statement, whose second run does no harm, is tried again."""
        began = time.monotonic()
        while True:
            try:
                return await self.once(sql, *arguments)
            except (*AWAY, asyncpg.PostgresError) as error:
                if isinstance(error, asyncpg.PostgresError) and not str(error.sqlstate).startswith(PASSING):
                    raise
                if not safe or time.monotonic() - began > PATIENCE_SECONDS:
                    raise UnavailableError("the database does not answer") from error
            await asyncio.sleep(0.1)

    async def value(self, sql: str, *arguments: object, safe: bool = True) -> Any:
        rows = await self.rows(sql, *arguments, safe=safe)
        return rows[0][0] if rows else None

    async def remembered(self, ask: Callable[[Any], Awaitable[T]]) -> T:
        """A call to Redis, tried again until it is through; so only what may happen twice."""
        began = time.monotonic()
        while True:
            try:
                return await ask(self.redis)
            except REDIS_AWAY as error:
                if time.monotonic() - began > PATIENCE_SECONDS:
                    raise UnavailableError("Redis does not answer") from error
            await asyncio.sleep(0.1)

    async def problem(self) -> str | None:
        """Why this is not ready, in plain words."""
        try:
            has = (await asyncio.wait_for(self.once("SELECT max(number) FROM migrations.schema_migrations"), 3))[0][0]
        except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError, asyncpg.InvalidSchemaNameError):
            has = 0
        except (*AWAY, asyncpg.PostgresError) as error:
            return f"the database does not answer: {str(error) or type(error).__name__}"
        if (has or 0) < SCHEMA:
            return f"the schema is at {has or 0:04d}, this release needs {SCHEMA:04d}: run the migrations first"
        try:
            await asyncio.wait_for(self.redis.ping(), 3)
        except (*REDIS_AWAY, exceptions.RedisError) as error:
            return f"Redis does not answer: {str(error) or type(error).__name__}"
        return None
