# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of a Grafana: what is, what is wanted, and the calls between the two. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ROLES = ("Viewer", "Editor", "Admin")


@dataclass(frozen=True)
class User:
    """A wanted user."""

    login: str
    password: str = field(repr=False)
    role: str = "Viewer"
    name: str = ""
    email: str = ""

    @property
    def shown(self) -> tuple[str, str]:
        """Name and address as Grafana has them: it puts the login in the place of an empty one."""
        return self.name or self.login, self.email or self.login


@dataclass(frozen=True)
class Found:
    """A user that Grafana has. `local`: its password is Grafana's own, not a directory's."""

    id: int
    login: str
    name: str = ""
    email: str = ""
    role: str = ""
    local: bool = True
    admin: bool = False
    disabled: bool = False


@dataclass(frozen=True)
class Call:
    """One call of the API: how, where, what, and in words. Only the words are ever shown."""

    verb: str
    path: str
    body: Mapping[str, Any] = field(repr=False)
    words: str


def wanted(users: Sequence[Mapping[str, Any]], admin: str) -> list[User]:
    """The users as the inventory has them, refused where they contradict each other."""
    found: list[User] = []
    for raw in users:
        user = User(**{key: str(value) for key, value in raw.items() if value is not None})
        where = f"Grafana's user {user.login!r}"
        if not user.login or user.login.lower() == admin.lower():
            raise ValueError(f"{where}: the name is empty or the administrator's, who has a password of its own.")
        if user.login.lower() in {other.login.lower() for other in found}:
            raise ValueError(f"{where} is listed twice; Grafana does not tell capitals apart.")
        if user.role not in ROLES:
            raise ValueError(f"{where} has the role {user.role!r}. There are {', '.join(ROLES)}.")
        if not user.password:
            raise ValueError(f"{where} has no password. Refer to one of the vault.")
        found.append(user)
    return found


def found(users: Sequence[Mapping[str, Any]], members: Sequence[Mapping[str, Any]]) -> list[Found]:
    """Grafana's users from the answers of /api/users and /api/org/users."""
    roles = {int(one["userId"]): str(one["role"]) for one in members}
    return [
        Found(
            int(one["id"]),
            str(one["login"]),
            str(one.get("name", "")),
            str(one.get("email", "")),
            roles.get(int(one["id"]), ""),
            not one.get("authLabels"),
            bool(one.get("isAdmin")),
            bool(one.get("isDisabled")),
        )
        for one in users
    ]


def plan(now: Sequence[Found], users: Sequence[User], stale: Sequence[str], admin: str, exclusive: bool) -> list[Call]:
    """The calls, those who stay first. `stale` are logins whose password is another one."""
    calls: list[Call] = []
    have = {one.login.lower(): one for one in now}
    for user in users:
        one = have.get(user.login.lower())
        calls += _new(user) if one is None else _known(one, user, user.login in stale)
    if exclusive:
        kept = {user.login.lower() for user in users} | {admin.lower()}
        calls += [
            Call("DELETE", f"/api/admin/users/{one.id}", {}, f"user {one.login}: remove")
            for one in now
            if one.local and one.login.lower() not in kept
        ]
    return calls


def _new(user: User) -> list[Call]:
    name, email = user.shown
    body = {"login": user.login, "name": name, "email": email, "password": user.password, "OrgId": 1}
    return [
        Call("POST", "/api/admin/users", body, f"user {user.login}: add"),
        # Its number is known only afterwards: the client puts it in.
        Call("PATCH", f"/api/org/users/{{{user.login}}}", {"role": user.role}, f"user {user.login}: {user.role}"),
    ]


def _known(one: Found, user: User, stale: bool) -> list[Call]:
    calls = []
    name, email = user.shown
    if not one.local:
        raise ValueError(
            f"Grafana's user {user.login!r} comes from a directory (LDAP, OAuth), which knows its password and role. "
            "Take it out of grafana_users."
        )
    if (one.name, one.email) != (name, email):
        body = {"login": one.login, "name": name, "email": email}
        calls.append(Call("PUT", f"/api/users/{one.id}", body, f"user {user.login}: name {name}, address {email}"))
    if one.role != user.role:
        calls.append(Call("PATCH", f"/api/org/users/{one.id}", {"role": user.role}, f"user {user.login}: {user.role}"))
    if one.admin:
        where = f"/api/admin/users/{one.id}/permissions"
        calls.append(Call("PUT", where, {"isGrafanaAdmin": False}, f"user {user.login}: no server administrator"))
    if one.disabled:
        calls.append(Call("POST", f"/api/admin/users/{one.id}/enable", {}, f"user {user.login}: enable"))
    if stale:
        where = f"/api/admin/users/{one.id}/password"
        calls.append(Call("PUT", where, {"password": user.password}, f"user {user.login}: another password"))
    return calls
