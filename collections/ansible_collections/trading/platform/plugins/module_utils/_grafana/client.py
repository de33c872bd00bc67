# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grafana's HTTP API by TLS, with a name and a password. Standard library only. Raises."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .._https.call import basic, call
from .users import Call, Found, User, found

WAIT = 10


class GrafanaError(Exception):
    """What went wrong, where. `status` is HTTP's, 0 where there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Grafana:
    """One Grafana, asked by its administrator."""

    def __init__(self, url: str, ca: str, admin: str, timeout: float = 60) -> None:
        self.url = url.rstrip("/")
        self.context = ssl.create_default_context(cafile=ca)
        self.admin = admin
        self.password = ""
        self.timeout = timeout

    def ask(
        self, verb: str, path: str, body: Mapping[str, Any] | None = None, login: str = "", password: str = ""
    ) -> Any:
        """One call. OSError where nobody answers, GrafanaError where the answer is no."""
        headers = {
            "Authorization": basic(login or self.admin, password or self.password),
            "Content-Type": "application/json",
        }
        sent = None if body is None else json.dumps(body)
        answer = call(verb, self.url + path, self.context, headers, sent, timeout=WAIT)
        try:
            said = json.loads(answer.text) if answer.text.strip() else {}
        except ValueError:
            said = {"message": answer.text[:200].strip()}
        if answer.refused:
            reason = said.get("message") if isinstance(said, dict) else answer.text[:200]
            raise GrafanaError(f"Grafana at {self.url} refused {verb} {path}: {reason}", answer.status)
        return said

    def wait(self) -> None:
        """Until it answers and its database does: at a first start it makes its tables."""
        end = time.monotonic() + self.timeout
        while True:
            try:
                health = self.ask("GET", "/api/health")
                if health.get("database") == "ok":
                    return
                reason = f"its database is {health.get('database')!r}"
            except (OSError, GrafanaError) as error:
                reason = str(error)
            if time.monotonic() > end:
                raise GrafanaError(
                    f"Grafana at {self.url} is not well after {self.timeout:.0f} s: {reason}. "
                    "Look at: journalctl -u grafana-server"
                )
            time.sleep(0.5)

    def log_in(self, password: str, previous: str, check: bool) -> list[str]:
        """As the administrator; where the previous password still fits, the new one takes its place."""
        self.password = password
        try:
            self.ask("GET", "/api/user")
        except GrafanaError as error:
            if error.status != http.client.UNAUTHORIZED:
                raise
        else:
            return []
        if not previous:
            raise GrafanaError(
                f"Grafana at {self.url} does not accept the password of {self.admin}. Where the vault has a new one, "
                "put the old one in grafana_admin_password_previous for one run; where nobody knows it, on the "
                "host: grafana-cli admin reset-admin-password --password-from-stdin"
            )
        self.password = previous
        me = self.ask("GET", "/api/user")
        if not check:
            self.ask("PUT", f"/api/admin/users/{int(me['id'])}/password", {"password": password})
            self.password = password
        return [f"user {self.admin}: another password"]

    def users(self) -> list[Found]:
        return found(self.ask("GET", "/api/users?perpage=10000"), self.ask("GET", "/api/org/users"))

    def stale(self, now: Sequence[Found], users: Sequence[User]) -> list[str]:
        """Who has another password: it cannot be read, so each is tried."""
        have = {one.login.lower() for one in now if one.local and not one.disabled}
        return [user.login for user in users if user.login.lower() in have and not self._fits(user)]

    def _fits(self, user: User) -> bool:
        try:
            self.ask("GET", "/api/user", login=user.login, password=user.password)
        except GrafanaError as error:
            if error.status == http.client.UNAUTHORIZED:
                return False
            raise
        return True

    def apply(self, calls: Sequence[Call]) -> None:
        """Each call in turn; {login} in a path is the number of a user that was made a moment ago."""
        for one in calls:
            try:
                self.ask(one.verb, self._numbered(one.path), one.body)
            except GrafanaError as error:
                raise GrafanaError(f"{one.words}: {error}", error.status) from error

    def _numbered(self, path: str) -> str:
        head, brace, login = path.rstrip("}").partition("{")
        if not brace:
            return path
        return head + str(int(self.ask("GET", f"/api/users/lookup?loginOrEmail={quote(login, safe='')}")["id"]))
