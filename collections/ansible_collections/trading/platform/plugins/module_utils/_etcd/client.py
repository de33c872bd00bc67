# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd's API version 3 over its JSON gateway, with mutual TLS. Standard library only. Raises."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._https.call import call
from .access import ROOT, Access, Call, User, ranges
from .members import Member, members, replacement

# Codes of gRPC that pass by themselves: no leader just now.
PASSING = (4, 14)


class EtcdError(Exception):
    """What went wrong, where. `code` is gRPC's, 0 where there was no answer."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code

    @property
    def wrong_password(self) -> bool:
        return "authentication failed" in str(self)

    @property
    def token_void(self) -> bool:
        return any(words in str(self) for words in ("invalid auth token", "auth store is old"))

    @property
    def not_enabled(self) -> bool:
        return "authentication is not enabled" in str(self)


def tls(ca: str, certificate: str = "", key: str = "") -> ssl.SSLContext:
    """Whom this host trusts, and what it shows."""
    context = ssl.create_default_context(cafile=ca)
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


class Etcd:
    """One cluster, by any of its endpoints: the first that answers is kept."""

    def __init__(self, endpoints: Sequence[str], context: ssl.SSLContext, timeout: float = 30, wait: float = 5) -> None:
        self.endpoints = list(endpoints)
        self.context = context
        self.timeout = timeout
        self.wait = wait
        self.token = ""

    def call(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A call, again and again until the cluster has a leader or the time is up."""
        end = time.monotonic() + self.timeout
        while True:
            try:
                return self._any(path, body or {})
            except EtcdError as error:
                if error.code not in (0, *PASSING) or time.monotonic() > end:
                    raise
            time.sleep(0.3)

    def _any(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        silent = []
        for endpoint in list(self.endpoints):
            try:
                answer = self.ask(endpoint, path, body, self.wait)
            except OSError as error:
                silent.append(f"{endpoint}: {error}")
                continue
            # A token holds everywhere, but users made a moment ago are surest at the member that made them.
            self.endpoints.remove(endpoint)
            self.endpoints.insert(0, endpoint)
            return answer
        raise EtcdError(f"no member of etcd answered: {'; '.join(silent)}. Look at: systemctl status etcd there.")

    def ask(self, endpoint: str, path: str, body: Mapping[str, Any], wait: float = 5) -> dict[str, Any]:
        """One call at one endpoint. OSError where nobody answers, EtcdError where the answer is no."""
        headers = {"Content-Type": "application/json", **({"Authorization": self.token} if self.token else {})}
        answer = call("POST", f"{endpoint}/v3/{path}", self.context, headers, json.dumps(body), timeout=wait)
        try:
            said = json.loads(answer.text)
        except ValueError:
            said = {"error": f"HTTP {answer.status}: {answer.text[:200].strip()}", "code": 2}
        if answer.refused or not isinstance(said, dict):
            reason = said.get("error") or said.get("message") if isinstance(said, dict) else answer.text[:200]
            code = int(said.get("code", 2)) if isinstance(said, dict) else 2
            raise EtcdError(f"etcd at {endpoint} refused {path}: {reason}", code)
        return said

    def authenticates(self, name: str, password: str) -> str:
        """A token, or nothing where the password is another one."""
        try:
            return str(self.call("auth/authenticate", {"name": name, "password": password})["token"])
        except EtcdError as error:
            if error.wrong_password:
                return ""
            raise

    def log_in(self, passwords: Sequence[str]) -> int | None:
        """As root with the first password that fits; says which. None where authentication is off."""
        try:
            for number, password in enumerate(passwords):
                self.token = ""
                if password:
                    self.token = self.authenticates(ROOT, password)
                if self.token:
                    return number
        except EtcdError as error:
            if error.not_enabled:
                return None
            raise
        raise EtcdError(
            f"etcd at {self.endpoints[0]} does not accept the root password. Where the vault has a new one, put the "
            "old one in etcd_root_password_previous for one run; after a restore it is the one of the snapshot's time."
        )

    def access(self, users: Sequence[User], passwords: Sequence[str]) -> Access:
        """What is. A password cannot be read, so each is tried; with authentication off, none can be."""
        which = self.log_in(passwords)
        found = {name: self._roles_of(name) for name in self.call("auth/user/list").get("users", [])}
        roles = {
            name: ranges(self.call("auth/role/get", {"role": name}))
            for name in self.call("auth/role/list").get("roles", [])
            if name != ROOT
        }
        stale = {ROOT} if which != 0 else set()
        stale |= {
            user.name
            for user in users
            if user.name in found and (which is None or not self.authenticates(user.name, user.password))
        }
        return Access(which is not None, found, roles, frozenset(stale & set(found)))

    def _roles_of(self, user: str) -> frozenset[str]:
        return frozenset(self.call("auth/user/get", {"name": user}).get("roles", []))

    def apply(self, calls: Sequence[Call], passwords: Sequence[str]) -> None:
        """Each call in turn. A changed password or role makes the token void, so that one logs in again and goes on."""
        for one in calls:
            try:
                try:
                    self.call(one.path, one.body)
                except EtcdError as error:
                    if not error.token_void:
                        raise
                    self.log_in(passwords)
                    self.call(one.path, one.body)
            except EtcdError as error:
                raise EtcdError(f"{one.words}: {error}", error.code) from error

    def members(self) -> list[Member]:
        return members(self.call("cluster/member/list"))

    def health(self, member: Member) -> dict[str, Any]:
        """How a member says it is; in `error` why it is not well."""
        fact: dict[str, Any] = {**member.fact(), "healthy": False, "leader": False, "error": ""}
        if not member.client_urls:
            return {**fact, "error": "it has never started"}
        try:
            status = self.ask(member.client_urls[0], "maintenance/status", {}, wait=3)
        except (OSError, EtcdError) as error:
            return {**fact, "error": str(error)}
        leader = str(status.get("leader", "0"))
        wrong = "; ".join(status.get("errors", [])) or ("" if leader != "0" else "it knows no leader")
        return {
            **fact,
            "healthy": not wrong,
            "leader": leader == member.id,
            "version": str(status.get("version", "")),
            "db_size": int(status.get("dbSize", 0)),
            "error": wrong,
        }

    def replace(self, name: str, url: str, instead_of: str, check: bool) -> tuple[list[str], bool]:
        """A learner in the place of a lost member; what was done, and whether it is new."""
        found = self.members()
        healthy = [one.id for one in found if self.health(one)["healthy"]]
        todo = replacement(found, healthy, name, url, instead_of)
        for one in todo.remove:
            if not check:
                self.call("cluster/member/remove", {"ID": one.id})
        steps = [f"member {one.name or one.peer_urls[0]}: remove" for one in todo.remove]
        if todo.add:
            if not check:
                self.call("cluster/member/add", {"peerURLs": [url], "isLearner": True})
            steps.append(f"member {name}: add {url}, as a learner")
        return steps, todo.add

    def promote(self, url: str, check: bool) -> list[str]:
        """A learner becomes a voter once it has caught up."""
        end = time.monotonic() + self.timeout
        while True:
            mine = [one for one in self.members() if url in one.peer_urls]
            if not mine:
                raise EtcdError(f"no member of etcd has the address {url}: nothing can be promoted. Replace it first.")
            if not mine[0].learner:
                return []
            if check:
                break
            try:
                self.call("cluster/member/promote", {"ID": mine[0].id})
                break
            except EtcdError as error:
                # It is behind, or has not started yet.
                if time.monotonic() > end:
                    raise
                if "learner" not in str(error):
                    raise
            time.sleep(0.5)
        return [f"member {mine[0].name or url}: a voter from now on"]
