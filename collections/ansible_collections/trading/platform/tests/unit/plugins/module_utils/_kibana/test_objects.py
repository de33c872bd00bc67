# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved objects of a Kibana: from what is to what is wanted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._kibana.client import reason
from ansible_collections.trading.platform.plugins.module_utils._kibana.objects import (
    digest,
    form,
    ndjson,
    parsed,
    refusals,
    remembered,
    same,
    steps,
    wanted,
)

VIEW: dict[str, Any] = {
    "type": "index-pattern",
    "id": "logs-app",
    "attributes": {"title": "logs-app-*", "timeFieldName": "@timestamp"},
    "references": [],
}
REF = {"name": "index", "type": "index-pattern", "id": "logs-app"}
SEARCH: dict[str, Any] = {
    "type": "search",
    "id": "errors",
    "attributes": {"title": "Errors"},
    "references": [REF],
}
# As Kibana exports it: with fields and attributes of its own.
HAS_VIEW = {**VIEW, "attributes": {**VIEW["attributes"], "fields": "[]"}, "version": "WzEsMV0=", "managed": False}
HAS_SEARCH = {**SEARCH, "updated_at": "2026-01-01T00:00:00Z"}
OTHER = {**HAS_VIEW, "attributes": {"title": "logs-*", "timeFieldName": "@timestamp"}}


@pytest.mark.parametrize(
    ("have", "words"),
    [
        ([], ["index-pattern logs-app: add", "search errors: add"]),
        ([HAS_VIEW], ["search errors: add"]),
        ([HAS_VIEW, HAS_SEARCH], []),
        ([HAS_SEARCH, {"type": "dashboard", "id": "of-somebody", "attributes": {}}, HAS_VIEW], []),
        ([OTHER, HAS_SEARCH], ["index-pattern logs-app: renew"]),
        ([HAS_VIEW, {**HAS_SEARCH, "references": []}], ["search errors: renew"]),
        ([HAS_VIEW, {**HAS_SEARCH, "attributes": {}}], ["search errors: renew"]),
    ],
)
def test_the_steps(have: list[dict[str, Any]], words: list[str]) -> None:
    assert [step.words for step in steps([VIEW, SEARCH], have, {})] == words


def test_what_kibana_writes_in_its_own_way_is_imported_once() -> None:
    known = remembered([VIEW, SEARCH], [OTHER, HAS_SEARCH])
    assert list(known) == ["index-pattern/logs-app"]
    assert steps([VIEW, SEARCH], [OTHER, HAS_SEARCH], known) == []
    # Another wish, or another hand: neither is what was remembered.
    changed = {**VIEW, "attributes": {**VIEW["attributes"], "name": "App"}}
    assert len(steps([changed], [OTHER], known)) == 1
    assert len(steps([VIEW], [{**OTHER, "attributes": {"title": "by hand"}}], known)) == 1


def test_the_order_of_references_is_no_difference() -> None:
    second = {"name": "panel", "type": "search", "id": "errors"}
    one, two = {**SEARCH, "references": [REF, second]}, {**SEARCH, "references": [second, REF]}
    assert same(one, two)
    assert digest(one) == digest(two)


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([{"type": "search", "attributes": {"title": "x"}}], "has no type or no id"),
        ([VIEW, VIEW], "index-pattern logs-app is there twice"),
        ([{**VIEW, "attributes": {}}], "no attributes with a title"),
        ([{**SEARCH, "references": [{"id": "logs-app"}]}], "a reference without name"),
        ([SEARCH], "refers to index-pattern logs-app, which is not among them"),
    ],
)
def test_what_kibana_would_take_by_half_is_refused(objects: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wanted(objects)


def test_an_export_is_read_back() -> None:
    text = ndjson([VIEW, SEARCH]) + json.dumps({"exportedCount": 2, "missingRefCount": 0}) + "\n\n"
    assert parsed(text) == [VIEW, SEARCH]
    assert wanted([VIEW, SEARCH]) == [VIEW, SEARCH]


@pytest.mark.parametrize(("text", "message"), [("{}\nnonsense", "Line 2"), ("[]", "is no object")])
def test_a_broken_export(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parsed(text)


def test_the_form_carries_the_lines() -> None:
    kind, body = form(ndjson([VIEW]))
    boundary = kind.partition("boundary=")[2]
    assert body.startswith(f"--{boundary}\r\n".encode())
    assert body.endswith(f"\r\n--{boundary}--\r\n".encode())
    assert ndjson([VIEW]).encode() in body
    assert form(ndjson([VIEW])) == form(ndjson([VIEW]))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"success": True, "successCount": 2}, []),
        ({"success": False}, ['it says no success and no reason: {"success": false}']),
        (
            {
                "success": False,
                "errors": [
                    {
                        "type": "search",
                        "id": "errors",
                        "error": {"type": "missing_references", "references": [{"type": "index-pattern", "id": "x"}]},
                    }
                ],
            },
            ["search errors: missing_references: index-pattern x"],
        ),
    ],
)
def test_what_kibana_did_not_take(answer: dict[str, Any], said: list[str]) -> None:
    assert refusals(answer) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [('{"message": "no"}', "no"), ("<html>" + "x" * 400, "<html>" + "x" * 194), ("[1]", "[1]")],
)
def test_a_reason_is_short(text: str, said: str) -> None:
    assert reason(text) == said
