# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which secrets are asked for, which are missing, and how they are written."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._secrets.declared import (
    Declared,
    Need,
    by_lookup,
    declared_secrets,
    in_the_open,
    needs,
    references,
    unset,
)
from ansible_collections.trading.platform.plugins.module_utils._secrets.vaultfile import inline, literal, with_values

SPEC: dict[str, Any] = {
    "argument_specs": {
        "main": {
            "options": {
                "db_password": {"type": "str", "required": True, "no_log": True},
                "db_port": {"type": "int"},
                "db_s3_secret": {"type": "str", "no_log": True},
                "db_users": {"type": "list", "no_log": True, "required": True},
            }
        },
        "restore": {"options": {"db_s3_secret": {"required": True, "no_log": True}, "db_token": {"no_log": True}}},
        "empty": None,
    }
}
PASSWORD = Declared("db_password", "db", text=True, required=True)
S3 = Declared("db_s3_secret", "db", text=True, required=True)
TOKEN = Declared("db_token", "db", text=True, required=False)
USERS = Declared("db_users", "db", text=False, required=True)


def test_declared_secrets_over_all_entry_points() -> None:
    assert declared_secrets("db", SPEC) == [PASSWORD, S3, USERS, TOKEN]


@pytest.mark.parametrize("spec", [{}, {"argument_specs": None}, {"argument_specs": {"main": {}}}])
def test_declared_secrets_of_an_empty_spec(spec: dict[str, Any]) -> None:
    assert declared_secrets("db", spec) == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"a": "{{ vault_a }}"}, {"vault_a"}),
        ({"a": {"b": ["x{{ vault_a ~ vault_b }}", {"c": "{{ vault_c }}"}]}}, {"vault_a", "vault_b", "vault_c"}),
        ({"a": "vault_a in a sentence"}, set()),
        ({"a": "{{ my_vault_a }}"}, set()),
        ({"a": 3, "b": None}, set()),
        (None, set()),
    ],
)
def test_references(data: Any, expected: set[str]) -> None:
    assert references(data) == expected


@pytest.mark.parametrize(
    ("plain", "referred", "expected"),
    [
        ({}, set(), [("vault_db_password", False), ("vault_db_s3_secret", False)]),
        (
            {"db_password": ["{{ vault_shared }}"]},
            {"vault_shared"},
            [("vault_db_s3_secret", False), ("vault_shared", False)],
        ),
        ({"db_password": ["{{ lookup('x', 'y') }}"], "db_s3_secret": ["{{ lookup('x') }}"]}, set(), []),
        (
            {
                "db_password": ["{{ vault_p }}"],
                "db_s3_secret": ["{{ vault_k }}"],
                "db_token": ["{{ vault_t }}"],
                "secrets_issued_elsewhere": [["vault_k", "vault_nobody_asks_for"]],
            },
            {"vault_p", "vault_k", "vault_t", "vault_only_in_a_template"},
            [("vault_k", True), ("vault_only_in_a_template", False), ("vault_p", False), ("vault_t", False)],
        ),
    ],
)
def test_needs(plain: dict[str, list[Any]], referred: set[str], expected: list[tuple[str, bool]]) -> None:
    found = needs([PASSWORD, S3, TOKEN], plain, referred)
    assert [(need.name, need.elsewhere) for need in found] == expected


def test_what_is_no_text_cannot_be_made_up() -> None:
    assert needs([USERS], {}, set()) == [Need("vault_db_users", ("db_users",), elsewhere=True)]


@pytest.mark.parametrize(
    ("name", "kind"), [("vault_pki_ca_private_key", "private_key"), ("vault_db_password", "text"), ("vault_x", "text")]
)
def test_kind(name: str, kind: str) -> None:
    assert Need(name, (), elsewhere=False).kind == kind


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{ lookup('amazon.aws.secretsmanager_secret', 'x') }}", True),
        ("{{ query('community.hashi_vault.vault_kv2_get', 'x') | first }}", True),
        ("{{ vault_x }}", False),
        ("lookup(", False),
        (None, False),
    ],
)
def test_by_lookup(value: Any, expected: bool) -> None:
    assert by_lookup(value) is expected


def test_unset_and_in_the_open() -> None:
    plain = {"db_password": ["hunter2hunter2"], "db_token": ["{{ vault_db_token }}"]}
    assert unset([PASSWORD, S3, TOKEN], plain) == ["db_s3_secret"]
    assert in_the_open([PASSWORD, S3, TOKEN], plain) == ["db_password"]


def test_inline_and_literal() -> None:
    assert inline("vault_a", "$ANSIBLE_VAULT;1.2\n6162\n") == "vault_a: !vault |\n  $ANSIBLE_VAULT;1.2\n  6162\n"
    assert literal("a", "x\ny\n") == "a: |\n  x\n  y\n"
    assert literal("a", "x") == "a: |-\n  x\n"


KEPT = "---\n# head\nvault_a: !vault |\n  one\n\n# about b\nvault_b: old\n\nvault_c: 3\n"


@pytest.mark.parametrize(
    ("text", "blocks", "expected"),
    [
        ("---\n", {"vault_b": "vault_b: 2\n", "vault_a": "vault_a: 1\n"}, "---\nvault_a: 1\nvault_b: 2\n"),
        (KEPT, {}, KEPT),
        (KEPT, {"vault_d": "vault_d: 4\n"}, KEPT + "vault_d: 4\n"),
        (KEPT, {"vault_b": "vault_b: new\n"}, KEPT.replace("vault_b: old", "vault_b: new")),
        (KEPT, {"vault_a": "vault_a: 1\n"}, KEPT.replace("vault_a: !vault |\n  one\n", "vault_a: 1\n")),
        ("vault_a: 1", {"vault_b": "vault_b: 2\n"}, "vault_a: 1\nvault_b: 2\n"),
    ],
)
def test_with_values(text: str, blocks: dict[str, str], expected: str) -> None:
    assert with_values(text, blocks) == expected


def test_with_values_starts_a_file() -> None:
    text = with_values("", {"vault_a": "vault_a: 1\n"})
    assert text.startswith("---\n# ")
    assert text.endswith("\nvault_a: 1\n")
