# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mask rules and stream templates: what is refused, and with which words."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._logs.rules import masks, streams, templates

GOOD = {"name": "a", "regex": "(?i)(x)=(?P<y>.)", "replacement": r"\1=\g<y>"}


def test_a_good_rule_gets_every_key() -> None:
    assert masks([GOOD]) == [{**GOOD, "check": "", "hints": []}]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"regex": "("}, "rule a: its regex does not compile"),
        ({"regex": "x*"}, "rule a: its regex matches the empty text"),
        ({"replacement": r"\3"}, "rule a: its replacement does not fit its regex"),
        ({"replacement": r"\g<z>"}, "rule a: its replacement does not fit its regex"),
        ({"replacement": ""}, "rule a: replacement is missing"),
        ({"name": ""}, "rule 1: name is missing"),
        ({"check": "crc"}, "rule a: check is 'crc'"),
    ],
)
def test_a_rule_that_does_not_work_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match="correct log_shipper_masks") as refused:
        masks([{**GOOD, **change}])
    assert str(refused.value).startswith(words)


def test_every_bad_rule_is_named_at_once() -> None:
    bad = [{**GOOD, "regex": "("}, {**GOOD, "name": "b", "regex": ")"}]
    with pytest.raises(ValueError, match=r"rule a: .*; rule b: .*; rule c stands twice"):
        masks([*bad, {**GOOD, "name": "c"}, {**GOOD, "name": "c"}])


@pytest.mark.parametrize(
    ("given", "environment", "words"),
    [
        ([{"name": "App", "retention": "1d"}], "test", "stream 'App'"),
        ([{"name": "app", "retention": "forever"}], "test", "stream app: retention is 'forever'"),
        ([{"name": "app", "retention": "0d"}], "test", "retention is '0d'"),
        ([], "a-b", "environment is 'a-b'"),
    ],
)
def test_streams_that_elasticsearch_would_refuse(given: list[dict[str, str]], environment: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        streams(given, environment)


def test_each_stream_has_a_template_of_its_own() -> None:
    made = templates([{"name": "app", "retention": "9d"}, {"name": "audit", "retention": "3d"}], "test", {}, 1)
    assert list(made) == ["logs-app-test", "logs-audit-test"]
    assert made["logs-audit-test"]["template"]["lifecycle"] == {"data_retention": "3d"}
    assert made["logs-app-test"]["index_patterns"] == ["logs-app-test"]
