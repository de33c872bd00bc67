# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bin/secrets check says."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._secrets.declared import Declared, Need
from ansible_collections.trading.platform.plugins.module_utils._secrets.findings import (
    State,
    in_plain,
    in_vault,
    left_open,
    state,
)


@pytest.mark.parametrize(
    ("values", "opened", "encrypted", "expected"),
    [
        ({}, None, False, State.MISSING),
        ({"vault_a": object()}, None, True, State.LOCKED),
        ({"vault_a": object()}, "CHANGEME", True, State.PLACEHOLDER),
        ({"vault_a": None}, None, False, State.PLACEHOLDER),
        ({"vault_a": object()}, "vault_a", True, State.PLACEHOLDER),
        ({"vault_a": object()}, "k3Pq9", True, State.SHORT),
        ({"vault_a": object()}, "k3Pq9x8Wv", True, State.GOOD),
        ({"vault_a": "k3Pq9x8Wv"}, "k3Pq9x8Wv", False, State.GOOD),
    ],
)
def test_state(values: dict[str, Any], opened: str | None, encrypted: bool, expected: State) -> None:
    assert state("vault_a", values, opened, encrypted=encrypted) is expected


def test_left_open() -> None:
    values = {
        "vault_a": "real1234",
        "vault_b": "CHANGEME123",
        "vault_c": "{{ vault_a }}",
        "vault_d": object(),
        "vault_e": "short",
    }
    assert left_open(values) == {"vault_a": "real1234", "vault_e": "short"}


@pytest.mark.parametrize(
    ("elsewhere", "stands", "expected"),
    [
        (False, State.GOOD, []),
        (False, State.MISSING, ["vault_a is missing"]),
        (True, State.PLACEHOLDER, ["vault_a is a placeholder, somebody else issues it: fill it in"]),
        (False, State.SHORT, ["vault_a is shorter than 8 characters"]),
        (False, State.LOCKED, ["vault_a can't be decrypted with the password in /keys/p"]),
    ],
)
def test_in_vault(elsewhere: bool, stands: State, expected: list[str]) -> None:
    assert list(in_vault([Need("vault_a", (), elsewhere)], {"vault_a": stands}, "/keys/p")) == expected


def test_what_nobody_asks_for_is_extra() -> None:
    assert list(in_vault([], {"vault_a": State.GOOD}, "")) == [
        "vault_a is extra: no role and no plain file asks for it"
    ]


def test_in_plain() -> None:
    asked = [Declared(option, "x", text=True, required=True) for option in ("x_key", "x_token")]
    assert list(in_plain(asked, {"x_token": ["hunter2hunter2"]})) == [
        'x_key is set in no plain file: write x_key: "{{ vault_x_key }}" into group_vars',
        "x_token stands in a plain file: move the value to vault_x_token",
    ]
