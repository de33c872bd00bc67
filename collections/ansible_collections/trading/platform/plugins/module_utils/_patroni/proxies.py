# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgbouncer's admin consoles: several at once, each call with a deadline, by psycopg2's asynchronous connections."""

from __future__ import annotations

import importlib
import select
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .view import PatroniError, short

POLL_OK, POLL_READ, POLL_WRITE = 0, 1, 2


class ProxyError(PatroniError):
    """A pgbouncer that cannot be reached, or said no."""


@dataclass(frozen=True)
class Proxy:
    name: str
    host: str
    port: int = 6432


@dataclass(frozen=True)
class Access:
    """How to log in to the consoles."""

    password: str = field(repr=False)
    ca: str
    user: str = "dbproxy_admin"
    connect_timeout: float = 3.0

    def parameters(self, proxy: Proxy) -> dict[str, Any]:
        return {
            "host": proxy.host,
            "port": proxy.port,
            "dbname": "pgbouncer",
            "user": self.user,
            "password": self.password,
            "sslmode": "verify-full",
            "sslrootcert": self.ca,
            "application_name": "patroni_cluster",
        }


class Console:
    """One admin connection."""

    def __init__(self, proxy: Proxy, access: Access) -> None:
        self.proxy = proxy
        self._access = access
        self._connection: Any = None
        self._cursor: Any = None
        self.busy = False

    @property
    def where(self) -> str:
        return f"pgbouncer on {self.proxy.name} ({self.proxy.host}:{self.proxy.port})"

    def open(self) -> Console:
        driver = psycopg2()
        until = time.monotonic() + self._access.connect_timeout
        try:
            self._connection = driver.connect(async_=1, **self._access.parameters(self.proxy))
            if not self._turn(until):
                raise ProxyError(f"{self.where} does not answer within {self._access.connect_timeout:g} s")
        except driver.Error as error:
            self.close()
            raise ProxyError(f"cannot log in to {self.where}: {short(error)}") from error
        except ProxyError:
            self.close()
            raise
        return self

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self.busy = None, False

    def _turn(self, until: float) -> bool:
        """Go on with what is under way; True when it is finished."""
        while True:
            state = self._connection.poll()
            if state == POLL_OK:
                return True
            left = max(0.0, until - time.monotonic())
            reads = [self._connection] if state == POLL_READ else []
            writes = [self._connection] if state == POLL_WRITE else []
            if not any(select.select(reads, writes, [], left)) and not left:
                return False

    def start(self, command: str) -> None:
        """Send a command and do not wait."""
        if self._connection is None:
            self.open()
        try:
            self._cursor = self._connection.cursor()
            self._cursor.execute(command)
        except psycopg2().Error as error:
            raise ProxyError(f"{self.where}: {command}: {short(error)}") from error
        self.busy = True

    def finish(self, until: float) -> bool:
        """Wait for the started command; False when the time is up first."""
        try:
            done = self._turn(until)
        except psycopg2().Error as error:
            self.busy = False
            raise ProxyError(f"{self.where}: {short(error)}") from error
        self.busy = not done
        return done

    def ask(self, command: str, seconds: float = 3.0) -> list[dict[str, Any]]:
        """A SHOW, as rows by column name."""
        self.start(command)
        if not self.finish(time.monotonic() + seconds):
            self.close()
            raise ProxyError(f"{self.where} does not answer {command} within {seconds:g} s")
        columns = [column[0] for column in self._cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in self._cursor.fetchall()]

    def databases(self) -> list[str]:
        """What to pause. Databases that are paused already belong to somebody else's work."""
        rows = {str(row["name"]): row for row in self.ask("SHOW DATABASES") if row["name"] != "pgbouncer"}
        paused = [name for name, row in rows.items() if int(row.get("paused") or 0)]
        if paused:
            raise ProxyError(
                f"{self.where} has paused {', '.join(paused)} already: another switchover may be under way. "
                "If none is, resume it (patroni_cluster state=resume_proxies), then run again"
            )
        return list(rows)

    def holders(self) -> list[str]:
        """Server connections in use, the longest first: what a PAUSE waits for."""
        now = time.time()
        rows = [row for row in self.ask("SHOW SERVERS") if str(row.get("state")).startswith("active")]
        return sorted(
            f"a transaction of {row.get('user')} in {row.get('database')} through {self.proxy.name}{_age(row, now)}"
            for row in rows
            if row.get("database") != "pgbouncer"
        )


def _age(row: Mapping[str, Any], now: float) -> str:
    """pgbouncer gives local time without a zone; what cannot be read is left out."""
    try:
        asked = time.mktime(time.strptime(str(row["request_time"])[:19], "%Y-%m-%d %H:%M:%S"))
    except (KeyError, ValueError):
        return ""
    return f", whose last statement began {max(0.0, now - asked):.0f} s ago" if asked <= now + 1 else ""


def psycopg2() -> Any:
    try:
        return importlib.import_module("psycopg2")
    except ImportError as error:
        raise ProxyError("python3-psycopg2 is missing on this host; the role postgres installs it") from error


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def pause_all(targets: Sequence[tuple[Proxy, str]], consoles: Sequence[Console], seconds: float) -> list[str]:
    """PAUSE every (proxy, database), all at once. Returns those that did not get there in time; raises on a no."""
    until = time.monotonic() + seconds
    for console, (_proxy, database) in zip(consoles, targets, strict=True):
        console.start(f"PAUSE {quoted(database)}")
    late = []
    for console, (proxy, database) in zip(consoles, targets, strict=True):
        if not console.finish(until):
            late.append(f"{database} on {proxy.name}")
    return late


def resume_all(
    targets: Sequence[tuple[Proxy, str]], access: Access, consoles: Sequence[Console] = (), seconds: float = 20.0
) -> list[str]:
    """RESUME every (proxy, database), again and again until each said yes. Returns the failures that remain."""
    until = time.monotonic() + seconds
    left: dict[tuple[Proxy, str], str] = dict.fromkeys(targets, "it was not tried")
    ready = {target: console for target, console in zip(targets, consoles, strict=False) if not console.busy}
    while True:
        started = {}
        for target in list(left):
            console = ready.pop(target, None) or Console(target[0], access)
            try:
                console.start(f"RESUME {quoted(target[1])}")
                started[target] = console
            except ProxyError as error:
                left[target] = str(error)
        for target, console in started.items():
            try:
                if console.finish(time.monotonic() + access.connect_timeout):
                    del left[target]
                else:
                    left[target] = f"{console.where} does not answer RESUME"
            except ProxyError as error:
                # It never was paused, or somebody else resumed it: that is what is wanted.
                if "not paused" in str(error):
                    del left[target]
                else:
                    left[target] = str(error)
            console.close()
        if not left or time.monotonic() > until:
            return [f"{database} on {proxy.name}: {why}" for (proxy, database), why in left.items()]
        time.sleep(0.2)
