# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that are missing, still a placeholder, or cannot be decrypted. No value ever enters a message."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.trading.platform.plugins.module_utils._preflight.problem import Problem, brief
from ansible_collections.trading.platform.plugins.module_utils._preflight.specs import (
    Option,
    is_secret,
    suboptions,
)
from ansible_collections.trading.platform.plugins.module_utils._secrets import placeholder

MISSING, PLACEHOLDER, LOCKED, FAILED = "missing", "placeholder", "locked", "failed"


@dataclass(frozen=True)
class Secret:
    """One secret that is not in order on some hosts."""

    kind: str
    name: str
    vault: tuple[str, ...] = ()
    reason: str = ""
    where: str = ""
    hosts: tuple[str, ...] = ()


def unreal(name: str, option: Option, value: object) -> Iterator[tuple[str, str]]:
    """(path, reason) of every part of a secret that cannot be real."""
    if value in (None, "", [], {}):
        if option.get("required") and option.get("no_log"):
            yield name, "it is empty"
        return
    for path, text in leaves(name, option, value):
        reason = placeholder.unreal(path.split(".")[-1], text) or placeholder.unreal(name, text)
        if reason:
            yield path, reason


def leaves(name: str, option: Option, value: object) -> Iterator[tuple[str, str]]:
    """(path, text) of every string in a value that the spec marks no_log."""
    if option.get("no_log"):
        yield from _texts(name, value)
        return
    below = {key: sub for key, sub in suboptions(option).items() if is_secret(sub)}
    items = enumerate(value) if isinstance(value, (list, tuple)) else [(None, value)]
    for index, item in items:
        if isinstance(item, Mapping):
            path = name if index is None else f"{name}[{index}]"
            for key, sub in below.items():
                if item.get(key) is not None:
                    yield from leaves(f"{path}.{key}", sub, item[key])


def _texts(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(f"{path}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _texts(f"{path}[{index}]", item)
    elif isinstance(value, str):
        yield path, value


def password_file(environment: str, variables: Mapping[str, str]) -> str:
    """Where bin/vault-client looks for an environment's vault password."""
    folder = variables.get("TRADING_SECRETS_DIR") or os.path.expanduser("~/.config/trading-platform")  # noqa: PTH111
    return os.path.join(folder, f"{environment}.vault-password")  # noqa: PTH118


def problems(
    found: Sequence[Secret], environment: str, inventory: str, everyone: int, *, password: str, password_exists: bool
) -> list[Problem]:
    """One problem per kind, one line per variable."""
    state = "that file does not exist" if not password_exists else "that file exists, but its password does not fit"
    texts = {
        MISSING: (
            "not defined",
            f"Run `bin/secrets init {environment}`: it generates what is missing and keeps the rest. "
            f"`bin/secrets check {environment}` names what still is.",
        ),
        PLACEHOLDER: (
            "not real",
            f"Write real values into {inventory}'s vault.yml, or delete their lines, and run `bin/secrets init "
            f"{environment}`: it encrypts the former and makes the latter.",
        ),
        LOCKED: (
            f"encrypted, and the vault password of {environment} does not open",
            f"Put the password into {password} ({state}). Without it, `bin/secrets init {environment}` in a fresh "
            "inventory makes new secrets.",
        ),
        FAILED: (
            "read from elsewhere, and that failed",
            "Mend the expression, or the access to the secret store that its lookup reads.",
        ),
    }
    return [
        Problem(what=_head(len(lines), texts[kind][0]), items=tuple(lines), do=texts[kind][1])
        for kind in texts
        if (lines := [_line(secret, everyone) for secret in _joined(found) if secret.kind == kind])
    ]


def _head(count: int, state: str) -> str:
    subject, verb, pronoun = ("1 secret", "is", "it") if count == 1 else (f"{count} secrets", "are", "them")
    return f"{subject} {verb} {state} {pronoun}:" if state.endswith("open") else f"{subject} {verb} {state}:"


def _joined(found: Sequence[Secret]) -> list[Secret]:
    """Hosts of the same finding together."""
    hosts: dict[tuple[str, str, tuple[str, ...], str, str], list[str]] = {}
    for secret in found:
        key = (secret.kind, secret.name, secret.vault, secret.reason, secret.where)
        hosts.setdefault(key, []).extend(secret.hosts)
    return [
        Secret(kind, name, vault, reason, where, tuple(dict.fromkeys(at)))
        for (kind, name, vault, reason, where), at in sorted(hosts.items())
    ]


def _line(secret: Secret, everyone: int) -> str:
    source = f"{', '.join(secret.vault)} (read by {secret.name})" if secret.vault else secret.name
    reason = f": {secret.reason}" if secret.reason else ""
    place = f" [{secret.where}]" if secret.where else ""
    return f"{source}{reason}, for {brief(secret.hosts, everyone)}{place}"
