"""Talks to a Redis or a sentinel, and waits for what it says. Managed by Ansible (role redis)."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Union

Reply = Union[str, int, None, list["Reply"]]  # noqa: UP007 - a string inside `|` is no type


class Trouble(Exception):  # noqa: N818 - it is one, and reads as one
    """What a person has to read, with what to do next."""


class Client:
    """One connection, by TLS, logged in."""

    def __init__(self, pki: Path, address: str, port: int, login: Mapping[str, str], timeout: float = 2.0) -> None:
        context = ssl.create_default_context(cafile=pki / "ca.pem")
        with contextlib.suppress(OSError):
            context.load_cert_chain(pki / "fullchain.pem", pki / "key.pem")
        raw = socket.create_connection((address, port), timeout=timeout)
        try:
            self._socket = context.wrap_socket(raw, server_hostname=address)
        except BaseException:
            raw.close()
            raise
        self._file = self._socket.makefile("rb")
        self.call("AUTH", login["user"], login["password"])

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def call(self, *words: str) -> Reply:
        parts = [word.encode() for word in words]
        self._socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in parts))
        return self._read()

    def _read(self) -> Reply:
        line = self._file.readline().rstrip(b"\r\n").decode()
        if not line:
            raise ConnectionResetError("the connection was closed")
        kind, text = line[0], line[1:]
        if kind == "-":
            raise Trouble(text)
        if kind == "+":
            return text
        if kind == ":":
            return int(text)
        if int(text) < 0:
            return None
        if kind == "$":
            return self._file.read(int(text) + 2)[:-2].decode(errors="replace")
        return [self._read() for _ in range(int(text))]

    def info(self, section: str) -> dict[str, str]:
        lines = str(self.call("INFO", section)).splitlines()
        return {name: value for name, _, value in (line.partition(":") for line in lines if ":" in line)}

    def table(self, *words: str) -> list[dict[str, str]]:
        """A sentinel's list of flat maps."""
        reply = self.call(*words)
        rows = reply if isinstance(reply, list) else []
        return [flat(row) for row in rows if isinstance(row, list)]


def flat(row: list[Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in zip(row[::2], row[1::2], strict=False)}


def wait_for(question: Callable[[], bool], timeout: float, otherwise: str) -> None:
    until = time.monotonic() + timeout
    last: Exception | None = None
    while time.monotonic() < until:
        try:
            if question():
                return
        except (OSError, Trouble, KeyError) as problem:
            last = problem
        time.sleep(0.05)
    raise Trouble(
        f"{otherwise} within {timeout} s" + (f": {last}" if last else "") + ". Look at `redis_member.py info`."
    )
