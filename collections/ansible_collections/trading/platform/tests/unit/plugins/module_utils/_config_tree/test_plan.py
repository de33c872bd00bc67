# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's plan, manifest and diff."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._config_tree import plan as planner
from ansible_collections.trading.platform.plugins.module_utils._config_tree.plan import (
    Directory,
    Facts,
    File,
    Found,
    Manifest,
    Wanted,
)

A = File("/etc/d/a", "etc/d/a", b"new\n", "root", "root", 0o644, False, [])
KEY = File("/etc/d/key", "etc/d/key", b"hunter22\n", "root", "root", 0o600, True, [])
DIRS = [Directory("/etc", "root", "root", 0o755, False), Directory("/etc/d", "root", "root", 0o755, True)]
THERE = {"/etc": Found("directory", 0o755, 0, 0), "/etc/d": Found("directory", 0o755, 0, 0)}
SAME = Found("file", 0o644, 0, 0, b"new\n")
ABSENT = Found("absent")


def wish(files: list[File] | None = None, **given: Any) -> Wanted:
    """A set with one file, or those given."""
    base = Wanted("demo", "/", [A] if files is None else files, DIRS, True, [], [])
    return base._replace(**given)


def facts(found: dict[str, Found], manifest: Manifest = Manifest(), **given: Any) -> Facts:  # noqa: B008 - immutable
    """A host where nothing is in the way."""
    names = {"root": 0}
    return Facts(manifest, THERE | found, names, names, lambda: [], lambda _path: [])._replace(**given)


@pytest.mark.parametrize(
    ("state", "field"),
    [
        (SAME, None),
        (ABSENT, "write"),
        (Found("file", 0o644, 0, 0, b"old\n"), "write"),
        (Found("file", 0o644, 0, 0, None), "write"),
        (Found("link", data=b"link to x\n"), "write"),
        (Found("file", 0o600, 0, 0, b"new\n"), "repair"),
        (Found("file", 0o644, 7, 0, b"new\n"), "repair"),
        (Found("file", 0o644, 0, 7, b"new\n"), "repair"),
        (Found("directory"), "problems"),
        (Found("special file"), "problems"),
    ],
)
def test_file(state: Found, field: str | None) -> None:
    plan = planner.make(wish(), facts({A.path: state}))
    filled = [name for name, value in plan._asdict().items() if value]
    assert filled == ([field] if field else [])
    assert plan.changed is (field in ("write", "repair"))


@pytest.mark.parametrize(
    ("state", "field"),
    [
        (Found("absent"), "mkdir"),
        (Found("directory", 0o700, 0, 0), "repair_dirs"),
        (Found("file"), "problems"),
        (Found("link of another user"), "problems"),
    ],
)
def test_directory(state: Found, field: str) -> None:
    plan = planner.make(wish(), facts({A.path: SAME, "/etc/d": state}))
    assert [name for name, value in plan._asdict().items() if value] == [field]


def test_directory_without_entry_is_left_alone() -> None:
    assert not planner.make(wish(), facts({A.path: SAME, "/etc": Found("directory", 0o700, 9, 9)})).changed


def test_unknown_owner_is_a_note() -> None:
    plan = planner.make(wish(), facts({A.path: SAME}, uids={"root": None}))
    assert plan.notes == ["the user root does not exist on this host"]
    assert plan.repair == [A]


OLD = Manifest(files={"/etc/d/a": False, "/etc/d/b": False})


@pytest.mark.parametrize(
    ("state", "given", "prune", "removed", "forgotten"),
    [
        (SAME, {}, True, ["/etc/d/b"], []),
        (Found("link"), {}, True, ["/etc/d/b"], []),
        (ABSENT, {}, True, [], ["/etc/d/b"]),
        (Found("directory"), {}, True, [], ["/etc/d/b"]),
        (SAME, {"claimed": lambda: ["/etc/d/b"]}, True, [], ["/etc/d/b"]),
        (SAME, {}, False, [], []),
    ],
)
def test_prune(state: Found, given: dict[str, Any], prune: bool, removed: list[str], forgotten: list[str]) -> None:
    known = facts({A.path: SAME, "/etc/d/b": state}, OLD, **given)
    plan = planner.make(wish(prune=prune), known)
    assert (plan.remove, plan.forget) == (removed, forgotten)


@pytest.mark.parametrize(
    ("names", "rmdir", "forget"),
    [
        ({"/etc/d": ["sub", "b"], "/etc/d/sub": ["c"]}, ["/etc/d/sub", "/etc/d"], []),
        ({"/etc/d": ["sub", "b"], "/etc/d/sub": ["c", "foreign"]}, [], []),
        ({"/etc/d": ["sub", "b", "foreign"], "/etc/d/sub": ["c"]}, ["/etc/d/sub"], []),
        ({"/etc/d": []}, ["/etc/d"], ["/etc/d/sub"]),
    ],
)
def test_prune_dirs(names: dict[str, list[str]], rmdir: list[str], forget: list[str]) -> None:
    old = Manifest(files={"/etc/d/b": False, "/etc/d/sub/c": False}, dirs=["/etc/d", "/etc/d/sub"])
    known = facts({"/etc/d/b": SAME, "/etc/d/sub/c": SAME}, old, listing=names.get)
    plan = planner.make(wish([], dirs=[]), known)
    assert (plan.rmdir, plan.forget) == (rmdir, forget)


RELOAD = (["etc/d/a"], "reload")
RESTART = (["etc/d/*"], "restart")


@pytest.mark.parametrize(
    ("touched", "old", "expected"),
    [
        ([], {}, {}),
        (["/etc/d/a"], {}, {"reload": ["/etc/d/a"], "restart": ["/etc/d/a"]}),
        (["/etc/d/b", "/etc/d/c"], {}, {"restart": ["/etc/d/b", "/etc/d/c"]}),
        ([], {"reload": ["/etc/d/a"]}, {"reload": ["/etc/d/a"]}),
        (["/etc/d/b"], {"restart": ["/etc/d/a"]}, {"restart": ["/etc/d/a", "/etc/d/b"]}),
        # The command was wrong and has been corrected: what it should have done is still due.
        ([], {"relaod": ["/etc/d/b"]}, {"restart": ["/etc/d/b"]}),
        ([], {"gone": ["/etc/other"]}, {}),
    ],
)
def test_due(touched: list[str], old: dict[str, list[str]], expected: dict[str, list[str]]) -> None:
    assert planner.due(wish(apply=[RELOAD, RESTART]), touched, old) == expected


def test_a_due_command_alone_is_a_change() -> None:
    old = Manifest(files={A.path: False}, pending={"reload": [A.path]})
    plan = planner.make(wish(apply=[RELOAD]), facts({A.path: SAME}, old))
    assert plan.changed
    assert list(plan.pending) == ["reload"]


def test_dropped() -> None:
    plan = planner.make(wish(), facts({A.path: SAME}))
    assert planner.dropped(plan, {"gone": ["/etc/other"]}) == ["gone"]


def test_manifest_round_trip_and_phases() -> None:
    known = facts({A.path: ABSENT, "/etc/d/b": SAME, "/etc/d": ABSENT}, OLD)
    wanted = wish(apply=[RELOAD])
    plan = planner.make(wanted, known)
    during = planner.next_manifest(wanted, OLD, plan, landing=True)
    after = planner.next_manifest(wanted, OLD, plan, landing=False)
    assert (list(during.files), list(during.pending), during.landing) == ([A.path, "/etc/d/b"], ["reload"], True)
    assert (list(after.files), list(after.dirs), after.landing) == ([A.path], ["/etc/d"], False)
    assert during.sums == after.sums == {A.path: hashlib.sha256(A.data).hexdigest()}
    for manifest in (during, after):
        assert planner.parse_manifest(planner.format_manifest(manifest)) == manifest


def test_what_is_not_pruned_may_be_taken_away() -> None:
    known = facts({A.path: SAME})
    wanted = wish(prune=False)
    plan = planner.make(wanted, known)
    assert planner.next_manifest(wanted, OLD, plan, landing=False).sums == {}


def test_a_manifest_of_before_there_were_sums() -> None:
    text = json.dumps({"files": {A.path: False}, "dirs": [], "pending": {}, "landing": False})
    assert planner.parse_manifest(text) == Manifest({A.path: False}, [], {}, False, {})


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": 1, "dirs": [], "pending": {}, "landing": false}'])
def test_bad_manifest(text: str) -> None:
    with pytest.raises(ValueError, match="not a manifest"):
        planner.parse_manifest(text)


def test_diff_hides_secrets() -> None:
    old = Manifest(files={"/etc/d/gone": True, A.path: True})
    found = {A.path: Found("file", 0o644, 0, 0, b"old canary\n"), KEY.path: ABSENT}
    found["/etc/d/gone"] = Found("file", 0o600, 0, 0, b"gone canary\n")
    known = facts(found, old)
    rows = planner.diff(planner.make(wish([A, KEY]), known), known, lambda _found: ("root", "root"))
    assert [row["prepared"] for row in rows] == [
        "/etc/d/a: diff hidden: secret\n",
        "/etc/d/key: diff hidden: secret\n",
        "/etc/d/gone: diff hidden: secret\n",
    ]
    assert "canary" not in str(rows)
    assert "hunter22" not in str(rows)


def test_diff_shows_content_and_owner() -> None:
    other = A._replace(path="/etc/d/b")
    known = facts({A.path: ABSENT, other.path: Found("file", 0o600, 5, 0, b"new\n")})
    rows = planner.diff(planner.make(wish([A, other]), known), known, lambda _found: ("games", "root"))
    assert rows == [
        {"before_header": A.path, "after_header": A.path, "before": "", "after": "new\n"},
        {
            "before_header": other.path,
            "after_header": other.path,
            "before": "owner: games\ngroup: root\nmode: 0600\n",
            "after": "owner: root\ngroup: root\nmode: 0644\n",
        },
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("line 1: bad value hunter22", "line 1: bad value ********"),
        ("password=hunter22;", "password=********;"),
        ("on line 3", "on line 3"),
    ],
)
def test_hide(text: str, expected: str) -> None:
    assert planner.hide(text, [b"x = 'hunter22'\non\n"]) == expected


@pytest.mark.parametrize(
    ("path", "dest", "expected"),
    [("/etc/a", "/", "etc/a"), ("/etc/a", "/etc", "a"), ("/etc/a", "/opt", "etc/a"), ("/etcx/a", "/etc", "etcx/a")],
)
def test_relative(path: str, dest: str, expected: str) -> None:
    assert planner.relative(path, dest) == expected
