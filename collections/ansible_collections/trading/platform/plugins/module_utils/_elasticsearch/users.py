# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and roles of Elasticsearch's file realm, as its files have them. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence

ROUNDS = 10_000
NAME = re.compile(r"^[a-z][a-z0-9_.-]{0,99}$")


def hashed(realm: str, name: str, password: str) -> str:
    """As Elasticsearch's own PBKDF2. The salt follows from the name: the same password gives the same line, run after
    run."""
    salt = hashlib.sha256(f"{realm}\0{name}".encode()).digest()
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS, 32)
    return f"{{PBKDF2}}{ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"


def files(users: Sequence[Mapping[str, object]], roles: Sequence[str], realm: str) -> dict[str, str]:
    """The texts of `users` and `users_roles`."""
    names = [str(user["name"]) for user in users]
    lines: list[str] = []
    members: dict[str, list[str]] = {}
    for user in users:
        name, password, given = str(user["name"]), str(user["password"]), user["roles"]
        if not NAME.match(name) or names.count(name) > 1:
            raise ValueError(
                f"user {name!r}: a name is lower-case letters, digits, _ . -, and stands once. Choose another."
            )
        if not password:
            raise ValueError(f"user {name}: the password is empty. Set one (bin/secrets init makes it).")
        if not isinstance(given, list) or not given:
            raise ValueError(
                f"user {name}: roles is empty, so the user may do nothing. Name at least one of {', '.join(roles)}."
            )
        for role in given:
            if role not in roles:
                raise ValueError(f"user {name}: there is no role {role}. Define it in elasticsearch_roles.")
            members.setdefault(str(role), []).append(name)
        lines.append(f"{name}:{hashed(realm, name, password)}")
    return {
        "users": "".join(f"{line}\n" for line in sorted(lines)),
        "users_roles": "".join(f"{role}:{','.join(sorted(who))}\n" for role, who in sorted(members.items())),
    }
