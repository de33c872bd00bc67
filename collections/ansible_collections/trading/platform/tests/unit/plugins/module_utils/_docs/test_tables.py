# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._docs import tables

OPTION = {"type": "str", "description": "What."}


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("One  two\nthree.", "One two three."),
        (["First.", "Second."], "First. Second."),
        ("Reads C(/etc/x) and V(true), B(now).", "Reads `/etc/x` and `true`, **now**."),
        ("Either a|b.", r"Either a\|b."),
        (None, ""),
    ],
)
def test_prose(description: object, expected: str) -> None:
    assert tables.prose(description) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "`true`"),
        (30, "`30`"),
        ("", '`""`'),
        (None, "`null`"),
        ("plain", "`plain`"),
        ([], "`[]`"),
        ([{"port": 22}], '`[{"port": 22}]`'),
        ("{{ a | default('x') }}", r"`{{ a \| default('x') }}`"),
        ("two\nlines", "`two lines`"),
        ("a`b", "`` a`b ``"),
        ("x" * 80, "`" + "x" * 59 + "…`"),
    ],
)
def test_shown(value: object, expected: str) -> None:
    assert tables.shown(value) == expected


def test_render() -> None:
    specs: dict[str, Any] = {
        "restore": {"short_description": "Bring a set back", "options": {"db_set": OPTION | {"required": True}}},
        "main": {
            "short_description": "Not repeated",
            "options": {
                "db_password": OPTION | {"required": True, "no_log": True},
                "db_mode": OPTION | {"choices": ["a", "b"]},
                "db_users": {
                    "type": "list",
                    "elements": "dict",
                    "description": "Who.",
                    "options": {"name": OPTION | {"required": True}, "super": {"type": "bool", "default": False}},
                },
            },
        },
    }
    text = tables.render("db", specs, {"db_mode": "a", "db_users": [], "db_listens": []}, ["db_firewall_openings"])
    assert text == (
        "## Variables\n\n"
        "| Variable | Type | Default | What |\n|---|---|---|---|\n"
        "| `db_password` | str, secret | **required** | What. |\n"
        "| `db_mode` | str | `a` | What. One of `a`, `b`. |\n"
        "| `db_users` | list of dict | `[]` | Who. |\n"
        "| `db_users[].name` | str | **required** | What. |\n"
        "| `db_users[].super` | bool | `false` |  |\n\n"
        "## Entry point `restore`\n\nBring a set back.\n\n"
        "| Variable | Type | Default | What |\n|---|---|---|---|\n"
        "| `db_set` | str | **required** | What. |\n\n"
        "## Published\n\nVariables that the play hands to other roles.\n\n"
        "- `db_firewall_openings`: openings for the firewall role\n"
        "- `db_listens`: ports it listens on, for preflight\n"
    )


def test_published_is_not_what_a_role_takes_in() -> None:
    assert tables.published("pki", ["pki_certificates"]) == {}
    assert list(tables.published("nginx", ["nginx_certificates", "nginx_port"])) == ["nginx_certificates"]


def test_replace_keeps_the_hand_written_parts() -> None:
    readme = f"# x\nhand\n{tables.BEGIN}\nold\n{tables.END}\nbelow\n"
    after = tables.replace(readme, "new\n", "README.md")
    assert after == f"# x\nhand\n{tables.BEGIN}\nnew\n{tables.END}\nbelow\n"
    assert tables.replace(after, "new\n", "README.md") == after


@pytest.mark.parametrize(
    "readme",
    ["# none\n", f"{tables.BEGIN}\n", f"{tables.END}\n{tables.BEGIN}\n", f"{tables.BEGIN}{tables.BEGIN}{tables.END}"],
)
def test_replace_refuses(readme: str) -> None:
    with pytest.raises(tables.DocsError, match=r"roles/x/README\.md: needs the lines"):
        tables.replace(readme, "new\n", "roles/x/README.md")


@pytest.mark.parametrize(
    ("specs", "defaults", "expected"),
    [
        ({"main": {"options": {"r_a": {}}}}, {"r_a": 1}, []),
        ({"main": {"options": {"r_a": {"required": True}}}}, {}, []),
        ({"main": {"options": {"r_a": {}}}}, {}, ["`r_a` is optional in the spec and has no default here"]),
        ({"main": {"options": {"r_a": {"required": True}}}}, {"r_a": 1}, ["`r_a` is required in the spec and has a"]),
        ({"main": {"options": {}}}, {"r_a": 1}, ["does not know `r_a` of defaults/main.yml"]),
        ({"main": {"options": {}}}, {"r_listens": []}, []),
        ({"main": {"options": {}}, "op": {"options": {"r_b": {"default": 1}}}}, {}, []),
        ({"main": {"options": {}}, "op": {"options": {"r_b": {}}}}, {"r_b": 1}, []),
        ({"main": {"options": {"r_a": {"no_log": True}}}}, {"r_a": ""}, ["`r_a` is a secret and not required"]),
        ({"main": {"options": {"r_a": {"default": 1}}}}, {"r_a": 2}, ["`r_a` has the default `1`, roles/r/defaults"]),
        ({"main": {"options": {"r_a": {"default": 1}}}}, {"r_a": "{{ x }}"}, []),
        ({"main": None}, {}, []),
    ],
)
def test_differences(specs: dict[str, Any], defaults: dict[str, Any], expected: list[str]) -> None:
    found = tables.differences("r", specs, defaults)
    assert len(found) == len(expected)
    for problem, part in zip(found, expected, strict=True):
        assert part in problem
