# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users' files, templates and settings against what there is, erasing."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._elasticsearch import erasure
from ansible_collections.trading.platform.plugins.module_utils._elasticsearch.objects import (
    problems,
    retention_calls,
    setting_calls,
    shown,
    template_calls,
)
from ansible_collections.trading.platform.plugins.module_utils._elasticsearch.users import files

USER = {"name": "w", "password": "secret", "roles": ["writer"]}


def test_the_hash_is_elasticsearchs_own_and_stays() -> None:
    text = files([USER], ["writer"], "logs")["users"]
    assert text == files([USER], ["writer"], "logs")["users"]
    name, _colon, rest = text.strip().partition(":")
    kind, salt, made = rest.split("$")
    expected = hashlib.pbkdf2_hmac("sha512", b"secret", base64.b64decode(salt), 10_000, 32)
    assert (name, kind, base64.b64decode(made)) == ("w", "{PBKDF2}10000", expected)
    assert "secret" not in text
    assert files([{**USER, "name": "v"}], ["writer"], "logs")["users"].partition("$")[2] != text.partition("$")[2]


def test_roles_list_their_users() -> None:
    users = [{**USER, "roles": ["reader", "writer"]}, {**USER, "name": "a"}]
    assert files(users, ["reader", "writer"], "logs")["users_roles"] == "reader:w\nwriter:a,w\n"


@pytest.mark.parametrize(
    ("users", "words"),
    [
        ([USER, USER], "stands once"),
        ([{**USER, "name": "A b"}], "user 'A b'"),
        ([{**USER, "password": ""}], "user w: the password is empty"),
        ([{**USER, "roles": []}], "user w: roles is empty"),
        ([{**USER, "roles": ["root"]}], "user w: there is no role root"),
    ],
)
def test_bad_users_are_refused(users: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        files(users, ["writer"], "logs")


WANTED = {
    "index_patterns": ["logs-app-test"],
    "priority": 500,
    "data_stream": {},
    "template": {
        "lifecycle": {"data_retention": "9d"},
        "settings": {"index.number_of_replicas": 0, "index.mapping.ignore_malformed": True},
        "mappings": {"dynamic": False, "properties": {"a": {"type": "keyword", "ignore_above": 9}}},
    },
}
# As Elasticsearch 8.19 answers.
PRESENT = {
    "index_patterns": ["logs-app-test"],
    "composed_of": [],
    "priority": 500,
    "data_stream": {"hidden": False, "allow_custom_routing": False},
    "template": {
        "lifecycle": {"enabled": True, "data_retention": "9d"},
        "settings": {"index": {"number_of_replicas": "0", "mapping": {"ignore_malformed": "true"}}},
        "mappings": {"dynamic": "false", "properties": {"a": {"type": "keyword", "ignore_above": 9}}},
    },
}


def test_a_template_that_means_the_same_is_left_alone() -> None:
    assert template_calls({"logs-app-test": PRESENT}, {"logs-app-test": WANTED}) == []


def test_templates_are_added_and_changed_and_others_left() -> None:
    changed = {**WANTED, "template": {**WANTED["template"], "lifecycle": {"data_retention": "8d"}}}  # type: ignore[dict-item]
    calls = template_calls({"one": PRESENT, "other": PRESENT}, {"one": changed, "two": WANTED})
    assert [call.words for call in calls] == ["template one: change", "template two: add"]
    assert "  template.lifecycle.data_retention: 9d\n" in shown(calls[:1])["before"]
    assert "  template.lifecycle.data_retention: 8d\n" in shown(calls[:1])["after"]
    assert "ignore_above" not in shown(calls[:1])["after"]


def test_only_streams_that_exist_and_differ_are_told() -> None:
    calls = retention_calls({"a": "1d", "b": "2d"}, {"a": "1d", "b": "3d", "c": "1d"})
    assert [(call.path, call.body) for call in calls] == [("/_data_stream/b/_lifecycle", {"data_retention": "3d"})]


def test_settings_that_are_the_same_are_left_alone() -> None:
    assert setting_calls({"a.b": "true"}, {"a.b": True}) == []
    assert setting_calls({"a.b": "true", "x": "1"}, {"a.b": False})[0].body == {"persistent": {"a.b": False}}


def test_problems_name_the_template_and_the_stream() -> None:
    assert problems({"t": {}}, {"s": "soon"})[0] == "template t: index_patterns is missing"
    assert problems({"t": {}}, {"s": "soon"})[1].startswith("stream s: retention is 'soon'")
    assert problems({"t": WANTED}, {"s": "30d"}) == []


@pytest.mark.parametrize(("user_id", "fine"), [("4711", True), ("", False), (" ", False), ("*", False), ("4?", False)])
def test_one_person_is_erased_and_no_pattern(user_id: str, fine: bool) -> None:
    assert (erasure.problem(user_id) == "") is fine


def test_deletions_go_to_the_index_behind_the_stream() -> None:
    text = erasure.deletions([{"_index": ".ds-logs-1", "_id": "a"}])
    assert text == '{"delete": {"_index": ".ds-logs-1", "_id": "a"}}\n'
    gone, stuck = (
        {"delete": {"status": 404}},
        {"delete": {"status": 503, "_index": "i", "_id": "b", "error": {"reason": "r"}}},
    )
    assert erasure.failures({"items": [gone, stuck]}) == ["i/b: r"]


@pytest.mark.parametrize(
    ("counts", "erased", "check", "last"),
    [
        ({"a": 0}, False, False, "No stream has a document of user 7."),
        (
            {"a": 2},
            False,
            False,
            "2 documents of user 7 were found, and nothing was deleted. To delete them type it again: -e confirm=7",
        ),
        (
            {"a": 2},
            False,
            True,
            "2 documents of user 7 were found, and nothing was deleted. Without --check they would be deleted.",
        ),
        ({"a": 2, "b": 1}, True, True, "3 documents of user 7 were deleted."),
    ],
)
def test_the_report_says_what_was_done(counts: dict[str, int], erased: bool, check: bool, last: str) -> None:
    assert erasure.report("7", counts, erased, check)[-1] == last
