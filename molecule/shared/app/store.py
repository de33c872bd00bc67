"""The database and Redis, over their switchovers: reconnect, and try again what may be tried again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
import redis.asyncio
from psycopg2 import errors
from redis import exceptions

from app.database import Pool, said, state_of
from app.settings import Settings
from app.statements import passes

T = TypeVar("T")
# How long one statement may take, and how long a request waits for a switchover in all.
STATEMENT_SECONDS, PATIENCE_SECONDS = 8, 15
REDIS_AWAY = (
    *(exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ReadOnlyError, exceptions.BusyLoadingError),
    *(OSError, asyncio.TimeoutError),
)
# A release needs all migrations that it carries; newer ones do not hurt it.
SCHEMA = max(int(path.name[:4]) for path in (Path(__file__).parent / "migrations").glob("*.sql"))


class UnavailableError(Exception):
    """What does not answer."""


def passing(error: BaseException) -> bool:
    """Whether the same statement may well succeed in a moment."""
    if not isinstance(error, psycopg2.Error):
        return isinstance(error, OSError | TimeoutError)
    state = state_of(error)
    # Without a state the server has not answered; what is wrong with a statement psycopg2 calls a ProgrammingError.
    return passes(state) if state else not isinstance(error, psycopg2.ProgrammingError)


class Store:
    """Both, opened when first used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: Pool | None = None
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
        self._pool = Pool(
            10,
            connect_seconds=5,
            host=settings.text("DATABASE_HOST"),
            port=settings.number("DATABASE_PORT", 6432, lowest=1),
            dbname=settings.text("DATABASE_NAME"),
            user=settings.text("DATABASE_USER"),
            password=settings.secret("database_password"),
            sslmode="disable",
        )

    async def close(self) -> None:
        await self.redis.close()
        if self._pool:
            self._pool.close()

    async def once(self, sql: str, *arguments: object) -> list[Any]:
        """A statement, which is a transaction."""
        if self._pool is None:
            raise RuntimeError("the store is not open")
        return await self._pool.fetch(STATEMENT_SECONDS, sql, *arguments)

    async def rows(self, sql: str, *arguments: object, safe: bool = True) -> list[Any]:
        """Rows; a `safe` statement, whose second run does no harm, is tried again."""
        began = time.monotonic()
        while True:
            try:
                return await self.once(sql, *arguments)
            except (OSError, TimeoutError, psycopg2.Error) as error:
                if not passing(error):
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
        except (errors.UndefinedTable, errors.InsufficientPrivilege, errors.InvalidSchemaName):
            has = 0
        except psycopg2.Error as error:
            return f"the database does not answer: {said(error)}"
        except (OSError, TimeoutError) as error:
            return f"the database does not answer: {str(error) or type(error).__name__}"
        if (has or 0) < SCHEMA:
            return f"the schema is at {has or 0:04d}, this release needs {SCHEMA:04d}: run the migrations first"
        try:
            await asyncio.wait_for(self.redis.ping(), 3)
        except (*REDIS_AWAY, exceptions.RedisError) as error:
            return f"Redis does not answer: {str(error) or type(error).__name__}"
        return None
