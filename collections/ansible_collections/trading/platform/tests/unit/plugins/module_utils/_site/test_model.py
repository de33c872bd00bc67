# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Mapping

import pytest
from ansible_collections.trading.platform.plugins.module_utils._site.model import (
    Import,
    Play,
    Role,
    RoleUse,
    SiteError,
    parse_playbook,
    published,
    roles_of_host,
)


@pytest.mark.parametrize(
    ("play", "roles"),
    [
        ({"roles": ["a", {"role": "b"}, {"name": "c"}]}, [("a", "main"), ("b", "main"), ("c", "main")]),
        ({"tasks": [{"ansible.builtin.include_role": {"name": "a", "tasks_from": "x.yml"}}]}, [("a", "x")]),
        ({"tasks": [{"block": [{"import_role": {"name": "a"}}], "rescue": [{"include_role": {"name": "b"}}]}]},
         [("a", "main"), ("b", "main")]),
        ({"roles": ["b"], "pre_tasks": [{"include_role": {"name": "a"}}],
          "post_tasks": [{"import_role": {"name": "c"}}]},
         [("a", "main"), ("b", "main"), ("c", "main")]),
        ({"tasks": [{"include_role": {"name": "{{ item }}"}}, {"ansible.builtin.debug": {}}]}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_roles_of_a_play(play: Mapping[str, object], roles: list[tuple[str, str]]) -> None:
    (found,) = parse_playbook([{"hosts": "all", **play}], "site.yml")
    assert isinstance(found, Play)
    assert [(use.role, use.entry) for use in found.roles] == roles


def test_variables_that_a_play_hands_over() -> None:
    role = {"role": "a", "a_port": 1, "tags": ["x"], "vars": {"a_name": "n"}}
    (play,) = parse_playbook(
        [{"hosts": ["db", "app"], "vars": {"p": 1}, "roles": [role]}], "site.yml", {"p": 0, "q": 2}
    )
    assert isinstance(play, Play)
    assert play.hosts == "db,app"
    assert play.roles[0].params == {"a_port": 1, "a_name": "n"}
    assert play.roles[0].play_vars == {"p": 1, "q": 2}


def test_imports_are_relative_to_the_importing_file() -> None:
    data = [{"ansible.builtin.import_playbook": "playbooks/site/base.yml", "vars": {"x": 1}}]
    assert parse_playbook(data, "/p/site.yml") == [Import("/p/playbooks/site/base.yml", {"x": 1})]


@pytest.mark.parametrize("data", [None, {}, "text", ["text"], [{"roles": ["a"]}]])
def test_what_is_no_playbook_is_named(data: object) -> None:
    with pytest.raises(SiteError, match=r"site\.yml"):
        parse_playbook(data, "site.yml")


def test_roles_of_a_host_in_order() -> None:
    plays = [
        Play("db", (RoleUse("a"), RoleUse("b")), ""),
        Play("app", (RoleUse("c"),), ""),
        Play("db", (RoleUse("d"),), ""),
    ]
    hosts = {"db": ["db1"], "app": ["app1"]}
    assert [use.role for use in roles_of_host(plays, "db1", hosts.__getitem__)] == ["a", "b", "d"]


def role(name: str, **defaults: object) -> Role:
    return Role(name, f"roles/{name}", defaults, {}, {})


@pytest.mark.parametrize(
    ("uses", "host_vars", "expected"),
    [
        ([(role("a", a_x=[{"p": 1}]), RoleUse("a"))], {}, [{"role": "a", "p": 1}]),
        ([(role("a", a_x=[{"p": 1}]), RoleUse("a"))], {"a_x": [{"p": 2}]}, [{"role": "a", "p": 2}]),
        ([(role("a", a_x=[{"p": 1}]), RoleUse("a", params={"a_x": []}))], {"a_x": [{"p": 2}]}, []),
        ([(role("a", a_x=None), RoleUse("a")), (role("b"), RoleUse("b"))], {}, []),
        ([(role("a", a_x=[{"p": 1}]), RoleUse("a")), (role("a", a_x=[{"p": 1}]), RoleUse("a", "restart"))], {},
         [{"role": "a", "p": 1}]),
        ([(role("a", a_x=[{"p": 1}]), RoleUse("a", play_vars={"a_x": [{"p": 2}]}))], {}, []),
        ([(role("a", a_x="{q}"), RoleUse("a")), (role("a", a_x="{q}"), RoleUse("a", params={"q": 2}))], {"q": 1},
         [{"role": "a", "p": 1}, {"role": "a", "p": 2}]),
    ],
)  # fmt: skip
def test_published(
    uses: list[tuple[Role, RoleUse]], host_vars: dict[str, object], expected: list[dict[str, object]]
) -> None:
    def evaluate(raw: object, scope: Mapping[str, object]) -> object:
        return [{"p": scope["q"]}] if raw == "{q}" else raw

    assert published(uses, "x", host_vars, evaluate) == expected


@pytest.mark.parametrize("value", ["text", {"p": 1}, [1], 7])
def test_published_must_be_mappings(value: object) -> None:
    with pytest.raises(SiteError, match="a_x of role a must be a list of mappings"):
        published([(role("a", a_x=value), RoleUse("a"))], "x", {}, lambda raw, _scope: raw)
