# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which secrets the roles ask for, which of them an inventory refers to, and what is missing. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_REFERENCE = re.compile(r"\bvault_[a-z0-9_]+")
_LOOKUP = re.compile(r"\b(lookup|query|q)\s*\(")
# In the inventory: vault_* names of what somebody else hands out, and nobody can make up.
ELSEWHERE = "secrets_issued_elsewhere"


@dataclass(frozen=True)
class Declared:
    """A secret option of a role's specification."""

    option: str
    role: str
    text: bool
    required: bool


@dataclass(frozen=True)
class Need:
    """A name that the vault has to hold, and for whom."""

    name: str
    options: tuple[str, ...]
    elsewhere: bool

    @property
    def kind(self) -> str:
        """How a value is made up: by the end of the name."""
        return "private_key" if self.name.endswith("_private_key") else "text"


def declared_secrets(role: str, spec: dict[str, Any]) -> list[Declared]:
    """The options that a role marks with no_log, over all entry points.

    Only a plain text can be made up.
    """
    found: dict[str, Declared] = {}
    for entry in (spec.get("argument_specs") or {}).values():
        for option, body in ((entry or {}).get("options") or {}).items():
            if not body.get("no_log"):
                continue
            before = found.get(option)
            found[option] = Declared(
                option,
                role,
                body.get("type", "str") == "str" and (before is None or before.text),
                bool(body.get("required")) or bool(before and before.required),
            )
    return list(found.values())


def definitions(data: Any) -> Iterator[tuple[str, Any]]:
    """Every name and value in a file of the inventory, at whatever depth: hosts.yml nests its variables."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield str(name), value
            yield from definitions(value)
    elif isinstance(data, list):
        for value in data:
            if isinstance(value, (dict, list)):
                yield from definitions(value)
            else:
                yield "", value


def references(data: Any) -> set[str]:
    """The vault_* names that a file refers to."""
    texts = (value for _name, value in definitions(data) if isinstance(value, str) and "{{" in value)
    return {name for text in texts for name in _REFERENCE.findall(text)}


def by_lookup(value: Any) -> bool:
    """Does a plain value get its secret from a secret manager?"""
    return isinstance(value, str) and "{{" in value and bool(_LOOKUP.search(value))


def needs(secrets: list[Declared], plain: dict[str, list[Any]], referred: set[str]) -> list[Need]:
    """The vault_* names an environment needs.

    All that its plain files refer to, and vault_OPTION for each required option that no plain file sets.
    plain holds the values of the options that plain files set, by option.
    """
    users: dict[str, list[Declared]] = {name: [] for name in referred}
    for secret in secrets:
        values = plain.get(secret.option, [])
        for value in values:
            for name in references([value]):
                users.setdefault(name, []).append(secret)
        if not values and secret.required:
            users.setdefault(f"vault_{secret.option}", []).append(secret)
    issued = {name for names in plain.get(ELSEWHERE, []) for name in names}
    return [
        Need(name, tuple(sorted(one.option for one in who)), name in issued or not all(one.text for one in who))
        for name, who in sorted(users.items())
    ]


def unset(secrets: list[Declared], plain: dict[str, list[Any]]) -> list[str]:
    """Required options that no plain file sets: the value in the vault alone does not reach the role."""
    return sorted({one.option for one in secrets if one.required and one.option not in plain})


def in_the_open(secrets: list[Declared], plain: dict[str, list[Any]]) -> list[str]:
    """Options whose secret stands in a plain file."""
    return sorted(
        {
            one.option
            for one in secrets
            for value in plain.get(one.option, [])
            if isinstance(value, str) and value and "{{" not in value
        }
    )
