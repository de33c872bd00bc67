# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an environment's secrets, in words. No I/O, and no value ever enters a message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

from ansible_collections.trading.platform.plugins.module_utils._secrets import declared, placeholder


class State(Enum):
    """How a name in the vault stands."""

    GOOD = ""
    MISSING = "is missing"
    PLACEHOLDER = "is a placeholder"
    # Somebody may use it: nothing replaces it unasked.
    SHORT = f"is shorter than {placeholder.SHORTEST} characters"
    LOCKED = "can't be decrypted with the password in {password}"


def state(name: str, values: Mapping[str, Any], opened: str | None, *, encrypted: bool) -> State:
    """`opened` is the plain text; None when there is none, or when the password does not open it."""
    if name not in values:
        return State.MISSING
    if encrypted and opened is None:
        return State.LOCKED
    reason = placeholder.unreal(name, opened or "")
    if reason == placeholder.SHORT:
        return State.SHORT
    return State.PLACEHOLDER if reason else State.GOOD


def left_open(values: Mapping[str, Any]) -> dict[str, str]:
    """Real values of a vault.yml that nobody encrypted yet."""
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, str) and "{{" not in value and placeholder.unreal(name, value) in (None, placeholder.SHORT)
    }


def in_vault(needs: Iterable[declared.Need], states: Mapping[str, State], password: str) -> Iterator[str]:
    """What is wrong with the values that the vault holds, or should hold. `states` knows the names of both."""
    needed = {need.name: need for need in needs}
    for name, need in needed.items():
        if states[name] is not State.GOOD:
            hint = ", somebody else issues it: fill it in" if need.elsewhere else ""
            yield f"{name} {states[name].value.format(password=password)}{hint}"
    for name in sorted(set(states) - set(needed)):
        yield f"{name} is extra: no role and no plain file asks for it"


def in_plain(asked: list[declared.Declared], plain: dict[str, list[Any]]) -> Iterator[str]:
    """What is wrong with the plain files that hand the values to the roles."""
    for option in declared.unset(asked, plain):
        yield f'{option} is set in no plain file: write {option}: "{{{{ vault_{option} }}}}" into group_vars'
    for option in declared.in_the_open(asked, plain):
        yield f"{option} stands in a plain file: move the value to vault_{option}"
