# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge's program: what the role's rules mask in a document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.trading.platform.plugins.module_utils._logs.rules import masks as checked
from program import imported

ROLE = Path(__file__).resolve().parents[2] / "roles/log_shipper"
masks = imported(ROLE / "templates/tree/usr/local/lib/trading-platform/log_edge_masks.py")
RULES = checked(yaml.safe_load((ROLE / "defaults/main.yml").read_text())["log_shipper_masks"])


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mail to joe.doe+x@mail.example.com now", "mail to [mail] now"),
        ("no mail: a@b", "no mail: a@b"),
        ("iban DE89 3704 0044 0532 0130 00 paid", "iban [iban] paid"),
        ("iban DE89370400440532013000", "iban [iban]"),
        ("not one: DE88370400440532013000", "not one: DE88370400440532013000"),
        ("card 4111 1111 1111 1111.", "card [card]."),
        ("card 378282246310005", "card [card]"),
        ("order 4111111111111112", "order 4111111111111112"),
        ("at 1795314563123", "at 1795314563123"),
        ("Authorization: Bearer abc.def", "Authorization: [secret]"),
        ('{"authorization": "Basic Zm9vOmJhcg=="}', '{"authorization": "[secret]"}'),
        ("with bearer AbCdEfGh123 sent", "with bearer [secret] sent"),
        ("jwt eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl", "jwt [secret]"),
        ("postgres://app:s3cret@db1/trading", "postgres://app:[secret]@db1/trading"),
        ("password=hunter2&x=1", "password=[secret]&x=1"),
        ("api_key: 'abc'", "api_key: '[secret]'"),
        ("ALTER ROLE app PASSWORD 'x y'", "ALTER ROLE app PASSWORD '[secret]'"),
        ("plain words stay", "plain words stay"),
        ("joe@example.com paid with 4111111111111111", "[mail] paid with [card]"),
    ],
)
def test_what_is_masked(text: str, masked: str) -> None:
    assert masks.masked({"message": text, "fields": {"list": [text]}}, masks.masks(RULES)) == {
        "message": masked,
        "fields": {"list": [masked]},
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["name"])
def test_each_rule_has_a_case_here(rule: dict[str, Any]) -> None:
    """A rule without one could be deleted and nobody would see it."""
    cases = next(mark for mark in vars(test_what_is_masked)["pytestmark"] if mark.name == "parametrize").args[1]
    others = masks.masks([one for one in RULES if one is not rule])
    assert any(masks.masked(text, others) != want for text, want in cases)


def test_an_anchored_rule_is_asked_of_each_text() -> None:
    rules = masks.masks([{"regex": "^secret$", "replacement": "x"}])
    assert masks.masked({"a": "first", "b": "secret"}, rules) == {"a": "first", "b": "x"}
