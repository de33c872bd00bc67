# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, roles and prefixes of an etcd cluster: what is, what is wanted, and the calls between the two. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ROOT = "root"

Range = tuple[bytes, bytes]


@dataclass(frozen=True)
class User:
    """A wanted user. Its role carries its name and holds its prefixes."""

    name: str
    password: str = field(repr=False)
    prefixes: tuple[str, ...]


@dataclass(frozen=True)
class Access:
    """What the cluster has: on or off, roles by user, ranges by role, and users with another password."""

    enabled: bool
    users: Mapping[str, frozenset[str]]
    roles: Mapping[str, frozenset[Range]]
    stale: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Call:
    """One call of the API: where, what, and in words. Only the words are ever shown."""

    path: str
    body: Mapping[str, Any] = field(repr=False)
    words: str


def wanted(users: Sequence[Mapping[str, Any]]) -> list[User]:
    """The users as the inventory has them, refused where they contradict each other."""
    found: list[User] = []
    for raw in users:
        user = User(str(raw["name"]), str(raw["password"]), tuple(str(prefix) for prefix in raw["prefixes"]))
        where = f"etcd user {user.name!r}"
        if not user.name or user.name == ROOT:
            raise ValueError(f"{where}: the name is empty or root, which has its own password. Choose another name.")
        if user.name in {other.name for other in found}:
            raise ValueError(f"{where} is listed twice. Give one user all its prefixes.")
        if not user.password:
            raise ValueError(
                f"{where} has an empty password, which means no password. Set one (bin/secrets init makes it)."
            )
        if not user.prefixes or "" in user.prefixes:
            raise ValueError(f"{where} needs at least one prefix, and no empty one, which would be every key.")
        found.append(user)
    return found


def prefix_range(prefix: str) -> Range:
    """The keys that begin with a prefix, as etcd has it: from the prefix up to the first key that does not."""
    start = prefix.encode()
    kept = start.rstrip(b"\xff")
    return start, (kept[:-1] + bytes([kept[-1] + 1])) if kept else b"\0"


def text64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def ranges(role: Mapping[str, Any]) -> frozenset[Range]:
    """The ranges that a role may read and write, from the API's answer; other kinds of permission count as none."""
    return frozenset(
        (base64.b64decode(one.get("key", "")), base64.b64decode(one.get("range_end", "")))
        for one in role.get("perm", [])
        if one.get("permType") == "READWRITE"
    )


def plan(now: Access, users: Sequence[User], root_password: str) -> list[Call]:
    """The calls, in an order that leaves nobody without access who keeps it; authentication goes on last."""
    calls = _root(now, root_password)
    for user in users:
        calls += _role(now, user) + _user(now, user)
    calls += _leavers(now, users)
    if not now.enabled:
        calls.append(Call("auth/enable", {}, "authentication: on"))
    return calls


def _root(now: Access, password: str) -> list[Call]:
    calls = []
    if ROOT not in now.users:
        calls.append(Call("auth/user/add", {"name": ROOT, "password": password}, "user root: add"))
    elif ROOT in now.stale:
        calls.append(_password(ROOT, password))
    if ROOT not in now.users.get(ROOT, frozenset()):
        calls.append(_grant(ROOT, ROOT))
    return calls


def _role(now: Access, user: User) -> list[Call]:
    calls = []
    if user.name not in now.roles:
        calls.append(Call("auth/role/add", {"name": user.name}, f"role {user.name}: add"))
    have = now.roles.get(user.name, frozenset())
    want = {prefix_range(prefix): prefix for prefix in user.prefixes}
    for (key, end), prefix in want.items():
        if (key, end) not in have:
            perm = {"permType": "READWRITE", "key": text64(key), "range_end": text64(end)}
            words = f"role {user.name}: may read and write {prefix}*"
            calls.append(Call("auth/role/grant", {"name": user.name, "perm": perm}, words))
    for key, end in sorted(have - set(want)):
        body = {"role": user.name, "key": text64(key), "range_end": text64(end)}
        calls.append(Call("auth/role/revoke", body, f"role {user.name}: no more {key.decode(errors='replace')}*"))
    return calls


def _user(now: Access, user: User) -> list[Call]:
    calls = []
    if user.name not in now.users:
        calls.append(Call("auth/user/add", {"name": user.name, "password": user.password}, f"user {user.name}: add"))
    elif user.name in now.stale:
        calls.append(_password(user.name, user.password))
    have = now.users.get(user.name, frozenset())
    if user.name not in have:
        calls.append(_grant(user.name, user.name))
    for role in sorted(have - {user.name}):
        calls.append(
            Call("auth/user/revoke", {"name": user.name, "role": role}, f"user {user.name}: no more role {role}")
        )
    return calls


def _leavers(now: Access, users: Sequence[User]) -> list[Call]:
    kept = {ROOT, *(user.name for user in users)}
    gone = [Call("auth/user/delete", {"name": name}, f"user {name}: remove") for name in sorted(set(now.users) - kept)]
    return gone + [
        Call("auth/role/delete", {"role": name}, f"role {name}: remove") for name in sorted(set(now.roles) - kept)
    ]


def _password(name: str, password: str) -> Call:
    return Call("auth/user/changepw", {"name": name, "password": password}, f"user {name}: another password")


def _grant(user: str, role: str) -> Call:
    return Call("auth/user/grant", {"user": user, "role": role}, f"user {user}: role {role}")
