# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The haproxy in front of the containers, by its runtime socket."""

from __future__ import annotations

import http.client
import re
import socket
from pathlib import Path
from typing import Any

from . import stats, verdicts
from .records import ReleaseError
from .slots import Slot, Spec
from .stats import Seen
from .world import Routes, read_routes

SOCKET = "/run/app-proxy/admin.sock"
TIMEOUT = 5.0
ENTRIES = 100


class Haproxy:
    def __init__(self, routes_file: Path, users_file: Path, path: str = SOCKET) -> None:
        self.routes_file = routes_file
        self.users_file = users_file
        self.path = path

    def command(self, text: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(TIMEOUT)
                connection.connect(self.path)
                connection.sendall(text.encode() + b"\n")
                answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        except OSError as error:
            raise ReleaseError(
                f"app-proxy's haproxy does not answer on {self.path} ({error}): look at systemctl status app-proxy"
            ) from error
        return answer.decode(errors="replace").strip()

    def act(self, text: str) -> None:
        answer = self.command(text)
        if answer:
            raise ReleaseError(f"haproxy refused `{text.split(';', maxsplit=1)[0]}`: {answer}")

    def table(self) -> list[dict[str, str]]:
        return stats.read_stat(self.command("show stat"))

    def seen(self) -> dict[Slot, Seen]:
        return stats.seen(self.table(), stats.read_servers(self.command("show servers state")))

    def routes(self) -> Routes:
        routes, users = (
            stats.read_map(self.command(f"show map {path}")) for path in (self.routes_file, self.users_file)
        )
        return read_routes(routes, users)

    def apply(self, routes: Routes) -> None:
        """Users first, then colour and share in one commit: no request sees a new colour with an old share."""
        wanted, users = routes.maps()
        now = self.routes()
        if now.users != routes.users:
            self._replace(self.users_file, users)
        if (now.live, now.share) != (routes.live, routes.share):
            self._replace(self.routes_file, wanted)
        if routes.live:
            self._open()
        if self.routes() != routes:
            raise ReleaseError(f"haproxy has not taken the routes {routes}; look at systemctl status app-proxy")

    def _open(self) -> None:
        """Before its first release a host's ports are closed, so that load balancers pass it by. Those of a host that
        has just come back wait for its containers, and may have been opened in between."""
        for name in stats.closed(self.table()):
            answer = self.command(f"enable frontend {name}")
            if answer and "already" not in answer:
                raise ReleaseError(f"haproxy refused to open the port of {name}: {answer}")

    def _replace(self, path: Path, entries: dict[str, str]) -> None:
        version = re.search(r"New version created: (\d+)", self.command(f"prepare map {path}"))
        if not version:
            raise ReleaseError(f"haproxy does not know the map {path}: run playbooks/site.yml first")
        adding = [f"add map @{version[1]} {path} {key} {value}" for key, value in entries.items()]
        for first in range(0, len(adding), ENTRIES):
            self.act(";".join(adding[first : first + ENTRIES]))
        self.act(f"commit map @{version[1]} {path}")

    def set_state(self, slot: Slot, state: str) -> None:
        self.act(f"set server {'/'.join(slot)} state {state}")

    def ask(self, spec: Spec) -> str:
        """What a container says to a question of our own: haproxy's check keeps no body."""
        connection = http.client.HTTPConnection(spec.address, spec.port, timeout=2)
        try:
            connection.request("GET", spec.ready or "/")
            answer: Any = connection.getresponse()
            return verdicts.answered(answer.status, answer.read(2000).decode(errors="replace"))
        except (OSError, http.client.HTTPException) as error:
            return f"did not answer ({error or type(error).__name__})"
        finally:
            connection.close()
