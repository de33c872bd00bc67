# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._preflight import (
    groups,
    names,
    networks,
    places,
    ports,
    secrets,
    specs,
)
from ansible_collections.trading.platform.plugins.module_utils._preflight.problem import Problem, brief, merged, report


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, "The group db is missing."),
        ({"db": []}, "The group db has no hosts."),
        ({"db": ["a"]}, None),
    ],
)
def test_required_groups(members: dict[str, list[str]], said: str | None) -> None:
    assert [p.what for p in groups.required(members, ["db"], "inv")] == ([said] if said else [])


@pytest.mark.parametrize(
    ("count", "errors", "warnings"), [(0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 0, 0), (4, 1, 0), (5, 0, 0)]
)
def test_quorum(count: int, errors: int, warnings: int) -> None:
    found = groups.quorum({"etcd": [f"h{i}" for i in range(count)]}, ["etcd"], "inv")
    assert [len([p for p in found if not p.warning]), len([p for p in found if p.warning])] == [errors, warnings]


KNOWN = {"docker": {"docker_x"}, "docker_host": {"docker_host_pools"}, "postgres": {"postgres_version"}}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("postgres_vesion", ("postgres_vesion", "postgres", "postgres_version")),
        ("postgres_version", None),
        ("docker_host_pool", ("docker_host_pool", "docker_host", "docker_host_pools")),
        ("docker_something", ("docker_something", "docker", None)),
        ("vault_postgres_password", None),
        ("ansible_host", None),
        ("postgres_", None),
        ("mine", None),
    ],
)
def test_unknown_names(name: str, expected: tuple[str, str, str | None] | None) -> None:
    assert names.unknown([name], KNOWN) == ([expected] if expected else [])
    assert names.unknown([name], KNOWN, accepted=[name]) == []


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"new": "b", "since": "0.2.0"}, "It was renamed to b in 0.2.0: write the new name."),
        ({"new": None, "note": "Nothing replaces it."}, "It was removed: delete the line. Nothing replaces it."),
    ],
)
def test_renamed(entry: dict[str, object], words: str) -> None:
    assert names.renamed(["a", "c"], {"a": entry}) == [("a", words)]


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ({"type": "int"}, 5, None),
        ({"type": "int"}, "5", None),
        ({"type": "int"}, "five", "unable to convert to int"),
        ({"type": "str", "choices": ["a", "b"]}, "c", "must be one of: a, b"),
        ({"type": "list", "elements": "int"}, ["x"], "int"),
        ({"type": "list", "elements": "dict", "options": {"n": {"type": "str", "required": True}}}, [{}], "n"),
        ({"type": "list", "elements": "dict", "options": {"n": {"type": "str"}}}, [{"m": 1}], "m"),
    ],
)
def test_specs(option: dict[str, Any], value: object, part: str | None) -> None:
    found = specs.messages("x_y", option, value)
    assert len(found) == (1 if part else 0)
    assert part is None or part in found[0]


def test_a_secret_is_never_quoted() -> None:
    (said,) = specs.covered("x_port", {"type": "int", "no_log": True}, "hunter2hunter2")
    assert "hunter2" not in said
    assert "type int" in said


@pytest.mark.parametrize(
    ("message", "raw", "later"),
    [
        ("object of type 'dict' has no attribute 'distribution'", "{{ ansible_facts.distribution }}", True),
        ("object of type 'dict' has no attribute 'distribution'", "{{ through }}", True),
        ("object of type 'dict' has no attribute 'name'", "{{ some.name }}", False),
        ("'typo' is undefined", "{{ typo }}{{ ansible_facts.x }}", False),
        ("'vault_x' is undefined", "{{ vault_x }}", False),
        ("'__x_register' is undefined", "{{ __x_register.stdout }}", True),
    ],
)
def test_what_only_the_run_brings(message: str, raw: str, later: bool) -> None:
    scope = {"through": "{{ ansible_facts.distribution }}", "some": {}}
    assert specs.waits_for_host(message, specs.dependencies(raw, scope)) is later


def test_leaves_of_nested_secrets() -> None:
    option = {
        "type": "list",
        "options": {"name": {}, "key": {"no_log": True}, "more": {"options": {"k": {"no_log": True}}}},
    }
    value = [{"name": "a", "key": "s1", "more": {"k": "s2"}}, {"name": "b"}]
    assert list(secrets.leaves("u", option, value)) == [("u[0].key", "s1"), ("u[0].more.k", "s2")]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([("a", "10.0.0.0/24"), ("b", "10.0.1.0/24")], []),
        ([("a", "10.0.0.0/24"), ("a", "10.0.0.0/24")], []),
        ([("a", "10.0.0.0/16"), ("b", "10.0.1.0/24")], ["The networks a 10.0.0.0/16 and b 10.0.1.0/24 overlap."]),
        ([("a", "10.0.0.0/24"), ("b", "10.0.0.0/24")], ["The networks a 10.0.0.0/24 and b 10.0.0.0/24 overlap."]),
        ([("a", "fd00::/64"), ("b", "10.0.0.0/8")], []),
        ([("a", "10.0.0.1/24")], ["a: '10.0.0.1/24' is not a network: 10.0.0.1/24 has host bits set."]),
        (
            [("a", "nonsense")],
            ["a: 'nonsense' is not a network: 'nonsense' does not appear to be an IPv4 or IPv6 network."],
        ),
    ],
)
def test_networks(values: list[tuple[str, str]], said: list[str]) -> None:
    assert [p.what for p in networks.check([networks.Named(*value) for value in values])] == said


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, []), ("", []), ("a", ["a"]), (["a", "b"], ["a", "b"]), ([{"base": "a", "size": 24}], ["a"]), (7, ["7"])],
)
def test_cidrs(value: object, expected: list[str]) -> None:
    assert networks.cidrs(value) == expected


def test_duplicate_addresses() -> None:
    claims = [("ansible_host", "1", "a", "f:1"), ("ansible_host", "1", "b", "f:2"), ("private_address", "1", "c", "")]
    (problem,) = networks.duplicates(claims)
    assert (problem.what, problem.where) == ("ansible_host 1 is given to a and b.", "f:1 and f:2")


@pytest.mark.parametrize(
    ("one", "two", "count"),
    [
        ({"port": 80}, {"port": 80}, 1),
        ({"port": 80}, {"port": 81}, 0),
        ({"port": 80, "proto": "udp"}, {"port": 80}, 0),
        ({"port": "80-90"}, {"port": "85"}, 1),
        ({"port": 80, "address": "127.0.0.1"}, {"port": 80, "address": "10.0.0.1"}, 0),
        ({"port": 80, "address": "127.0.0.1"}, {"port": 80, "address": "0.0.0.0"}, 1),  # noqa: S104
        ({"port": 80, "address": "::1"}, {"port": 80, "address": "0:0:0:0:0:0:0:1"}, 1),
    ],
)
def test_ports(one: dict[str, object], two: dict[str, object], count: int) -> None:
    listens = [ports.parse({"role": "a", **one}), ports.parse({"role": "b", **two})]
    assert len(ports.check("h", listens)) == count
    same_role = [ports.parse({"role": "a", **one}), ports.parse({"role": "a", **two})]
    assert ports.check("h", same_role) == []


@pytest.mark.parametrize(
    "element", [{}, {"port": "x"}, {"port": 0}, {"port": 70000}, {"port": "9-8"}, {"port": 1, "proto": "icmp"}]
)
def test_ports_that_do_not_parse(element: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a_listens"):
        ports.parse({"role": "a", **element})


def test_places() -> None:
    lines = places.index([
        ("inv/hosts.yml", "all:\n  hosts:\n    h1: {}\n  vars:\n    x: 1\n    y: 1\n"),
        ("inv/group_vars/all/a.yml", "---\nz: 1\nnested:\n  x: 2\nw: 1\n"),
        ("inv/group_vars/db.yml", "w: 2\n'q': !vault |\n  $ANSIBLE_VAULT;1.1\n"),
        ("inv/host_vars/h1/b.yml", "y: 3\n"),
    ])  # fmt: skip
    expected = {
        "x": "inv/hosts.yml:5", "y": "inv/host_vars/h1/b.yml:1", "z": "inv/group_vars/all/a.yml:2",
        "w": "inv/group_vars/db.yml:1", "q": "inv/group_vars/db.yml:2", "none": "",
    }  # fmt: skip
    assert {name: places.where(name, "h1", ["db"], lines) for name in expected} == expected
    assert places.where("w", "h2", [], lines) == "inv/group_vars/all/a.yml:5"


@pytest.mark.parametrize(
    ("hosts", "everyone", "text"),
    [([], 3, ""), (["a"], 1, "a"), (["a", "b"], 2, "all 2 hosts"), (list("abcdef"), 9, "6 hosts: a, b, c, d, ...")],
)
def test_brief(hosts: list[str], everyone: int, text: str) -> None:
    assert brief(hosts, everyone) == text


def test_one_report() -> None:
    same = [Problem("w", "d", "f:1", (host,)) for host in ("a", "b")]
    text = report(merged([*same, Problem("v", "e")]), [Problem("u", "g", warning=True)], "inv", 3)
    assert text.splitlines() == [
        "preflight found 2 problems in inv; nothing was changed:",
        "  1. w (a, b)", "     where: f:1", "     do:    d", "  2. v", "     do:    e",
        "and 1 warning:", "  1. u", "     do:    g",
    ]  # fmt: skip
