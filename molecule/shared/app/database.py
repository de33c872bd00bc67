"""PostgreSQL behind pgbouncer, one round trip for each statement.

A statement goes out as simple text with its values quoted by libpq, and is a transaction of its own. One that is parsed
and then run would have to be wrapped in BEGIN and COMMIT, so that pgbouncer leaves all of it on one server connection:
four round trips, each through the application, pgbouncer, haproxy and the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections.abc import Callable
from typing import Any

import psycopg2
from psycopg2 import extensions, extras

from app import statements

# JSON stays the text that it is: most of it goes on as it came.
extras.register_default_json(globally=True, loads=str)
extras.register_default_jsonb(globally=True, loads=str)
extras.register_uuid()


def state_of(error: BaseException) -> str:
    """SQLSTATE; empty where the server said nothing."""
    return str(getattr(error, "pgcode", None) or "")


def said(error: psycopg2.Error) -> str:
    """The server's sentence, without where in which function it was said."""
    return str(error.diag.message_primary or "") or str(error).strip() or type(error).__name__


class Connection:
    """One connection; after an error that is not the server's answer it is closed."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    @classmethod
    async def made(cls, seconds: float, **where: object) -> Connection:
        connection = cls(psycopg2.connect(async_=1, **where))
        await connection._patiently(seconds, lambda: None)
        return connection

    async def fetch(self, seconds: float, sql: str, values: tuple[object, ...]) -> list[Any]:
        cursor = self._raw.cursor()
        text, given = statements.marked(statements.named(sql)), statements.numbered(values)
        await self._patiently(seconds, lambda: cursor.execute(text, given))
        return cursor.fetchall() if cursor.description else []

    async def _patiently(self, seconds: float, begin: Callable[[], None]) -> None:
        try:
            async with asyncio.timeout(seconds):
                begin()
                while (wanted := self._raw.poll()) != extensions.POLL_OK:
                    await self._until(wanted == extensions.POLL_READ)
        except BaseException as error:
            # An answer that nobody waited for would be the next question's.
            if not state_of(error) or isinstance(error, psycopg2.OperationalError):
                self.close()
            raise

    async def _until(self, readable: bool) -> None:
        loop = asyncio.get_running_loop()
        ready, number = loop.create_future(), self._raw.fileno()
        add, remove = (loop.add_reader, loop.remove_reader) if readable else (loop.add_writer, loop.remove_writer)

        def done() -> None:
            if not ready.done():
                ready.set_result(None)

        add(number, done)
        try:
            await ready
        finally:
            remove(number)

    @property
    def open(self) -> bool:
        return not self._raw.closed

    @property
    def quiet(self) -> bool:
        """Nothing has come that nobody asked for, such as the other side's goodbye."""
        waiting = select.poll()
        waiting.register(self._raw.fileno(), select.POLLIN)
        return not waiting.poll(0)

    def close(self) -> None:
        with contextlib.suppress(psycopg2.Error):
            self._raw.close()


class Pool:
    """Connections are made when they are needed; the one used last is taken first."""

    def __init__(self, most: int, connect_seconds: float, **where: object) -> None:
        self._free: list[Connection] = []
        self._turn = asyncio.Semaphore(most)
        self._connect_seconds, self._where = connect_seconds, where

    async def fetch(self, seconds: float, sql: str, *values: object) -> list[Any]:
        """Waits as long for a connection as for the answer."""
        async with asyncio.timeout(seconds):
            await self._turn.acquire()
        try:
            connection = self._take() or await Connection.made(self._connect_seconds, **self._where)
            try:
                return await connection.fetch(seconds, sql, values)
            finally:
                if connection.open:
                    self._free.append(connection)
        finally:
            self._turn.release()

    def _take(self) -> Connection | None:
        while self._free:
            connection = self._free.pop()
            if connection.quiet:
                return connection
            connection.close()
        return None

    def close(self) -> None:
        while self._free:
            self._free.pop().close()
