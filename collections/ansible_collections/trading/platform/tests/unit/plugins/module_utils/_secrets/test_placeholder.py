# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One table for both who judge a value: bin/secrets, which makes a new one, and preflight, which refuses it."""

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._preflight import secrets as preflight
from ansible_collections.trading.platform.plugins.module_utils._secrets.findings import State, state
from ansible_collections.trading.platform.plugins.module_utils._secrets.placeholder import unreal

EMPTY = ["", "  ", '""', "\n"]
FILLERS = [
    *("CHANGEME", "change_me", "change-this", "CHANGEME123", "changeme1x", "changeme123456", "REPLACE ME", "fill-in"),
    *(
        "TODO",
        "todo: ask ops",
        "TBD",
        "fixme later",
        "xxxx",
        "xxxxxxxx",
        "********",
        "...",
        "<your key>",
        "<put it here>",
    ),
    *("password", "Passphrase", "secret", "pass", "your_password", "your-api-key", "example", "example-password"),
    *("placeholder", "dummy-value"),
]
NAMES = ["db_password", "vault_db_password", "VAULT_DB_PASSWORD"]
SHORT = ["abc12", "x", "k3Pq9", "1234567"]
GOOD = [
    *("k3Pq9x8W", "https://hooks.example.com/T0/B0", "todopoderoso7", "Password4Nobody", "db_password1"),
    *("-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n", "<license><id>7</id></license>"),
]


@pytest.mark.parametrize(
    ("value", "part"),
    [
        *((value, "empty") for value in EMPTY),
        *((value, "placeholder") for value in FILLERS),
        *((value, "own name") for value in NAMES),
        *((value, "shorter than 8") for value in SHORT),
        *((value, None) for value in GOOD),
    ],
)
def test_both_judge_alike(value: str, part: str | None) -> None:
    reason = unreal("vault_db_password", value)
    assert reason is None if part is None else reason and part in reason
    # A value is quoted nowhere; the rule's own words are no quote.
    assert not reason or value.strip() in {"", "x", "placeholder"} or value not in reason
    found = state("vault_db_password", {"vault_db_password": value}, value, encrypted=False)
    refused = list(preflight.unreal("db_password", {"no_log": True, "required": True}, value))
    assert (found is State.GOOD) == (refused == []) == (part is None)
    assert (found is State.SHORT) == (value in SHORT)
