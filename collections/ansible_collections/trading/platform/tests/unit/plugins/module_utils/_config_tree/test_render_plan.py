# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller makes of a task."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._config_tree import render_plan
from ansible_collections.trading.platform.plugins.module_utils._config_tree.globs import matches
from ansible_collections.trading.platform.plugins.module_utils._config_tree.render_plan import TreeError
from ansible_collections.trading.platform.plugins.module_utils._config_tree.spec import argument_spec, pack, unpack


def arguments(**given: Any) -> dict[str, Any]:
    """A task's arguments as Ansible hands them over, defaults filled in."""
    args = {name: option.get("default") for name, option in argument_spec().items()}
    args |= {"name": "demo", "src": "tree"} | given
    args["modes"] = [{"owner": None, "group": None, "mode": None} | row for row in args["modes"]]
    return args


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("etc/a.conf", "etc/a.conf", True),
        ("/etc/a.conf", "etc/a.conf", True),
        ("etc/a.conf", "etc/axconf", False),
        ("etc/*", "etc/a.conf", True),
        ("etc/*", "etc/d/a.conf", False),
        ("etc/**", "etc/d/a.conf", True),
        ("**", "etc/d/a.conf", True),
        ("**/*.conf", "a.conf", True),
        ("**/*.conf", "etc/d/a.conf", True),
        ("*.conf", "etc/a.conf", False),
        ("etc/?.conf", "etc/a.conf", True),
        ("etc/?.conf", "etc//.conf", False),
        ("etc/[ab].conf", "etc/b.conf", True),
        ("etc/[!ab].conf", "etc/b.conf", False),
        ("etc/[x", "etc/[x", True),
        ("etc/a+b", "etc/a+b", True),
        ("etc/a", "etc/ab", False),
    ],
)
def test_glob(glob: str, path: str, expected: bool) -> None:
    assert matches(glob, path) is expected


@pytest.mark.parametrize(
    ("sources", "exclude", "chosen", "left_out"),
    [
        (["a.j2", "d/b"], [], {"a": "a.j2", "d/b": "d/b"}, set()),
        (["a.j2", "b.j2"], ["b"], {"a": "a.j2"}, {"b"}),
        (["a.j2", "b.j2"], ["b.j2"], {"a": "a.j2"}, {"b"}),
        (["d/a", "d/e/b"], ["d/**"], {}, {"d/a", "d/e/b"}),
        (["a", "a.j2"], ["a.j2"], {"a": "a"}, set()),
        (["a.j2.j2"], [], {"a.j2": "a.j2.j2"}, set()),
    ],
)
def test_select(sources: list[str], exclude: list[str], chosen: dict[str, str], left_out: set[str]) -> None:
    assert render_plan.select(sources, exclude) == (chosen, left_out)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "../x"}, "becomes a file name"),
        ({"dest": "etc"}, "must be an absolute path"),
        ({"dest": "/etc/../x"}, "must be an absolute path"),
        ({"src": None}, "Give src, content or both"),
        ({"modes": [{"match": "**", "mode": "420"}]}, "quoted octal"),
        ({"modes": [{"match": "**", "mode": "u+x"}]}, "quoted octal"),
        ({"validate": [{"match": "**", "command": "visudo -c"}]}, "must contain %s"),
        ({"validate_set": ["nginx -t"]}, "must contain %s"),
        ({"apply": [{"match": ["**"], "command": "sh -c 'x"}]}, "cannot be split"),
        ({"apply": [{"match": ["**"], "command": " "}]}, "a command is empty"),
    ],
)
def test_bad_arguments(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TreeError, match=message):
        render_plan.check_args(arguments(**given))


@pytest.mark.parametrize(
    ("given", "rendered", "message"),
    [
        ({"content": {"../x": ""}}, {}, "plain relative path"),
        ({"content": {"a/../../x": ""}}, {}, "plain relative path"),
        ({"content": {"/etc/x": ""}}, {}, "plain relative path"),
        ({"content": {"": ""}}, {}, "plain relative path"),
        ({"content": {"a/": ""}}, {}, "plain relative path"),
        ({"content": {"a": 1}}, {}, "holds int, not text"),
        ({"content": {"a": ""}}, {"a": ""}, "both in src and in content"),
        ({"content": {"a/b": ""}}, {"a": ""}, "a is a file, and a/b needs a directory"),
        ({"secret": ["etc/sshd_confg"]}, {"etc/sshd_config": ""}, "Did you mean etc/sshd_config"),
        ({"validate": [{"match": "x", "command": "t %s"}]}, {"a": ""}, "validate: the set has no file 'x'"),
        ({"apply": [{"match": ["x"], "command": "t"}]}, {"a": ""}, "apply: the set has no file 'x'"),
        ({"modes": [{"match": "../d/"}]}, {"a": ""}, "plain relative path"),
    ],
)
def test_bad_sets(given: dict[str, Any], rendered: dict[str, str], message: str) -> None:
    with pytest.raises(TreeError, match=message):
        render_plan.build(arguments(**given), rendered, set())


def test_a_file_left_out_may_be_named() -> None:
    args = arguments(secret=["key"], content={})
    assert render_plan.build(args, {"a": ""}, {"key"})["files"][0]["secret"] is False


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\0b"])
def test_binary_is_refused(data: bytes) -> None:
    with pytest.raises(TreeError, match="not a text file"):
        render_plan.decode("logo.png", data)


def test_two_sources_for_one_file() -> None:
    with pytest.raises(TreeError, match=r"a and a\.j2 both land on a"):
        render_plan.select(["a.j2", "a"], [])


def test_build_resolves_globs() -> None:
    args = arguments(
        dest="/opt/x",
        content={"users/ann": "hi"},
        modes=[
            {"match": "**", "group": "adm", "mode": "0640"},
            {"match": "users/*", "mode": "0600"},
            {"match": "users/", "owner": "daemon"},
            {"match": "spool/in/", "mode": "1777"},
        ],
        secret=["users/*"],
        validate=[{"match": "*.conf", "command": "check %s"}],
    )
    built = render_plan.build(args, {"main.conf": "text\n"}, set())
    main, ann = built["files"]
    assert main == {
        "path": "/opt/x/main.conf",
        "rel": "main.conf",
        "text": "text\n",
        "owner": "root",
        "group": "adm",
        "mode": "0640",
        "secret": False,
        "validate": ["check %s"],
    }
    assert (ann["path"], ann["group"], ann["mode"], ann["secret"]) == ("/opt/x/users/ann", "adm", "0600", True)
    dirs = {row["path"]: (row["owner"], row["mode"], row["enforce"]) for row in built["dirs"]}
    assert dirs == {
        "/opt": ("root", "0755", False),
        "/opt/x": ("root", "0755", False),
        "/opt/x/users": ("daemon", "0755", True),
        "/opt/x/spool": ("root", "0755", False),
        "/opt/x/spool/in": ("root", "1777", True),
    }


def test_payload_survives_and_shows_nothing() -> None:
    packed = pack({"files": [{"text": "canary"}]})
    assert "canary" not in packed
    assert unpack(packed) == {"files": [{"text": "canary"}]}
