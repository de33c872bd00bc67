# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values against the roles' argument specs, and what a value's text depends on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

Option = Mapping[str, object]
Options = Mapping[str, Option]

WORD = re.compile(r"[A-Za-z_]\w*")
UNDEFINED_NAME = re.compile(r"^'(\w+)' is undefined")
SHORT = 60


def messages(name: str, option: Option, value: object) -> list[str]:
    """What Ansible's validator says of one value, one line each; empty when it fits."""
    validator = ArgumentSpecValidator({name: dict(option)})
    result = validator.validate({name: value}, validate_role_argument_spec=True)
    return [f"{name} does not fit its role: {message}." for message in result.error_messages]


def covered(name: str, option: Option, value: object) -> list[str]:
    """The same without a word of the value, for secrets."""
    if not messages(name, option, value):
        return []
    wanted = str(option.get("type") or "str")
    if isinstance(option.get("choices"), Sequence):
        wanted += " with a fixed set of choices"
    return [f"{name} does not fit its role: it must be of type {wanted} (the value is secret and not shown)."]


def is_secret(option: Option) -> bool:
    """no_log on the option or on anything below it."""
    return bool(option.get("no_log")) or any(is_secret(below) for below in suboptions(option).values())


def suboptions(option: Option) -> Options:
    below = option.get("options")
    return {str(k): v for k, v in below.items() if isinstance(v, Mapping)} if isinstance(below, Mapping) else {}


def words(raw: object) -> set[str]:
    """Every identifier inside the template strings of a value."""
    return {word for text in templates(raw) for word in _words(str(text))}


@cache
def _words(text: str) -> frozenset[str]:
    return frozenset(WORD.findall(text))


def templates(raw: object) -> Iterator[str]:
    if isinstance(raw, str):
        if "{{" in raw or "{%" in raw:
            yield raw
    elif isinstance(raw, Mapping):
        for item in raw.values():
            yield from templates(item)
    elif isinstance(raw, (list, tuple)):
        for item in raw:
            yield from templates(item)


# Large, and the same for every host within a run. To walk hostvars would evaluate every host's variables.
SHARED = frozenset({"groups", "hostvars"})


def dependencies(raw: object, scope: Mapping[str, object]) -> set[str]:
    """The identifiers a value depends on, through other variables."""
    seen: set[str] = set()
    waiting = words(raw)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            if name in scope and name not in SHARED:
                waiting |= words(scope[name]) - seen
    return seen


RUNTIME = frozenset({"ansible_facts", "ansible_local", "ansible_check_mode", "item"})


def waits_for_host(message: str, depends_on: set[str]) -> bool:
    """Whether an undefined value is one that only the run brings: a fact, or a role's own register (`__role_x`)."""
    named = UNDEFINED_NAME.match(message)
    if named and named[1] not in RUNTIME and not named[1].startswith("__"):
        return False
    if any(name.startswith("vault_") and f"{name!r}" in message for name in depends_on):
        return False
    return bool(RUNTIME & depends_on) or any(name.startswith("__") for name in depends_on)
