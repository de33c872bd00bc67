# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks to Patroni's REST API over TLS with a client certificate. Raises PatroniError; an answer is never guessed."""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .verdicts import reading
from .view import WRITING, Cluster, PatroniError, read_cluster, read_status, short


class NoAnswerError(PatroniError):
    """Nobody spoke HTTP at the address."""


@dataclass(frozen=True)
class Answer:
    status: int
    text: str


@dataclass
class Client:
    """`members` are names with addresses. Any of them answers for the cluster."""

    members: Mapping[str, str]
    scope: str
    port: int = 8008
    ca: str = ""
    cert: str = ""
    key: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 5.0
    _opener: Any = None

    def connect(self) -> None:
        """Read the certificates; missing files are said before anything else happens."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.cert:
                context.load_cert_chain(self.cert, self.key)
        except OSError as error:
            raise PatroniError(
                f"cannot use the certificates {self.ca}, {self.cert}, {self.key}: {error}; the role pki makes them"
            ) from error
        # A proxy of the environment must not answer for a member.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def request(
        self, name: str, method: str, path: str, body: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Answer:
        if self._opener is None:
            self.connect()
        host = self.members[name]
        url = f"https://{f'[{host}]' if ':' in host else host}:{self.port}{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        if self.username and method != "GET":
            token = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        try:
            with self._opener.open(request, timeout=timeout or self.timeout) as answer:
                return Answer(int(answer.status), answer.read(4 << 20).decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(int(error.code), error.read(65536).decode("utf-8", "replace"))
        except (OSError, ValueError, urllib.error.URLError) as error:
            reason = getattr(error, "reason", None) or error
            raise NoAnswerError(f"{method} {path} of {name} ({url}): {reason}") from error
        except Exception as error:  # http.client raises its own when a server hangs up half way
            raise NoAnswerError(f"{method} {path} of {name} ({url}): {type(error).__name__} {error}") from error

    def json(self, name: str, path: str, timeout: float | None = None, accept: tuple[int, ...] = (200,)) -> Any:
        answer = self.request(name, "GET", path, timeout=timeout)
        if answer.status not in accept:
            raise PatroniError(f"GET {path} of {name} answered {answer.status}: {short(answer.text)}")
        try:
            return json.loads(answer.text)
        except ValueError as error:
            raise PatroniError(f"GET {path} of {name} answered no JSON: {short(answer.text)}") from error

    def any(self, path: str, order: list[str]) -> Any:
        """The first member's answer. When none has one, all reasons."""
        reasons = []
        for name in order:
            try:
                return self.json(name, path)
            except PatroniError as error:
                reasons.append(str(error))
        raise PatroniError("; ".join(reasons) or f"nobody to ask for {path}")

    def change(self, name: str, method: str, path: str, body: Mapping[str, Any], timeout: float) -> str:
        """An unsafe call. Anything but a 2xx raises with what Patroni said; a 5xx leaves open whether it was done."""
        answer = self.request(name, method, path, body, timeout)
        if answer.status in (401, 403):
            raise PatroniError(
                f"{method} {path} of {name} was refused with {answer.status}: {short(answer.text)}; "
                "the API's user, password or this host's certificate is not what Patroni there knows"
            )
        if not 200 <= answer.status < 300:  # noqa: PLR2004
            # 503 is also what Patroni says when it has stopped waiting for a switchover that still goes on.
            kind = NoAnswerError if answer.status >= 500 else PatroniError  # noqa: PLR2004
            raise kind(f"{method} {path} of {name} answered {answer.status}: {short(answer.text)}")
        return answer.text

    def statuses(self) -> tuple[dict[str, Any], dict[str, str]]:
        """GET /patroni of every member; the leader's first, so that no replica seems ahead of it."""
        answered: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for name in self.members:
            try:
                answered[name] = self.json(name, "/patroni", accept=(200, 503))
            except PatroniError as error:
                errors[name] = str(error)
        for name, status in list(answered.items()):
            if read_status(status, name)["own_role"] == "replica":
                try:
                    answered[name] = self.json(name, "/patroni", accept=(200, 503))
                except PatroniError as error:
                    del answered[name]
                    errors[name] = str(error)
        return answered, errors

    def cluster(self) -> Cluster:
        """The whole view, at one go."""
        statuses, errors = self.statuses()
        if not statuses:
            raise PatroniError(
                f"Patroni answers on no member of {self.scope}: {'; '.join(errors.values())}. "
                "Look at `systemctl status patroni` there, and at the firewall for port "
                f"{self.port}"
            )
        order = list(statuses)
        try:
            document = self.any("/cluster", order)
            config = self.any("/config", order)
        except PatroniError as error:
            seen = ", ".join(order)
            raise PatroniError(
                f"Patroni answers on {seen}, but cannot read the cluster's memory (etcd): {error}. "
                "Bring etcd back first (`etcdctl endpoint health`); nothing was changed"
            ) from error
        return read_cluster(document, statuses, config, errors)

    def trusted(self, complete: bool = True) -> Cluster:
        """The view, or a refusal when it must not be acted upon. Settings may change while a member is away."""
        view = self.cluster()
        expected = list(self.members) if complete else [name for name in self.members if view.member(name)]
        problems = reading(view, expected, self.scope, time.time())
        if problems:
            raise PatroniError(f"The cluster is not fit to be changed, nothing was touched: {'; '.join(problems)}")
        return view

    def writable(self, name: str, timeout: float = 1.0) -> bool:
        """/primary says 200 from the lock on, before PostgreSQL has left recovery; the body tells when it has."""
        try:
            answer = self.request(name, "GET", "/primary", timeout=timeout)
            return answer.status == 200 and read_status(json.loads(answer.text), name)["own_role"] in WRITING  # noqa: PLR2004
        except (PatroniError, ValueError):
            return False

    def wait(
        self, met: Callable[[Cluster], list[str]], what: str, seconds: float, pause: float = 0.5
    ) -> tuple[Cluster, float]:
        """Look until nothing stands against it. A look that fails counts as not met."""
        began = time.monotonic()
        while True:
            try:
                view = self.cluster()
                reasons = met(view)
            except PatroniError as error:
                reasons = [str(error)]
            else:
                if not reasons:
                    return view, time.monotonic() - began
            if time.monotonic() - began > seconds:
                raise PatroniError(f"{what} did not come true within {seconds:.0f} s: {'; '.join(reasons)}")
            time.sleep(pause)
