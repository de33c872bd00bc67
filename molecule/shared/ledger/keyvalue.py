"""Numbered writes to Redis, one hash for each writer; haproxy on loopback finds the master."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ledger.writers import WriteError

# What the probe leaves behind goes by itself.
KEPT_S = 3600


@dataclass(frozen=True)
class Target:
    host: str
    port: int
    user: str
    password: str
    timeout: float

    def connect(self) -> Any:
        connection = redis.Connection(
            host=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            socket_timeout=self.timeout,
            socket_connect_timeout=self.timeout,
            # A write that is sent twice behind the probe's back would blur what was acknowledged.
            retry=Retry(NoBackoff(), 0),
        )
        connection.connect()
        return connection

    def key(self, run: str, writer: int) -> str:
        return f"ledger:{run}:{writer}"


def ask(connection: Any, *command: Any) -> Any:
    connection.send_command(*command)
    return connection.read_response()


class Setter:
    """One writer. The server's own "no" is a refusal; a connection that breaks leaves the outcome unknown."""

    def __init__(self, target: Target, run: str, number: int) -> None:
        self.target, self.key = target, target.key(run, number)
        self.connection: Any = None

    def connect(self) -> None:
        try:
            self.connection = self.target.connect()
            ask(self.connection, "PING")
        except (redis.RedisError, OSError) as error:
            raise WriteError("not_sent", str(error)) from error

    def write(self, reference: str) -> None:
        try:
            ask(self.connection, "HSET", self.key, reference, f"{time.monotonic():.6f}")
        except redis.ResponseError as error:
            raise WriteError("refused", str(error)) from error
        except (redis.RedisError, OSError) as error:
            raise WriteError("unknown", str(error)) from error

    def cut(self) -> None:
        """The socket has a timeout of its own."""

    def close(self) -> None:
        if self.connection is not None:
            with contextlib.suppress(redis.RedisError, OSError):
                self.connection.disconnect()
            self.connection = None


def found(target: Target, head: dict[str, Any], settle: float) -> tuple[dict[str, int], dict[str, Any]]:
    """The references that are there. Waits until a master answers."""
    began = time.monotonic()
    while True:
        present: dict[str, int] = {}
        connection = None
        try:
            connection = target.connect()
            for writer in range(head["writers"]):
                key = target.key(head["run"], writer)
                present.update((field.decode(), 1) for field in ask(connection, "HKEYS", key))
                ask(connection, "EXPIRE", key, KEPT_S)
        except (redis.RedisError, OSError) as error:
            if time.monotonic() - began > settle:
                raise WriteError(
                    "unknown", f"nothing to compare with: no answer within {settle:g} s: {error}"
                ) from error
            time.sleep(0.2)
            continue
        finally:
            if connection is not None:
                connection.disconnect()
        return present, {"settle_s": round(time.monotonic() - began, 3)}
