# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._progress import text

CENSORED = {"censored": "the output has been hidden", "stdout": "CANARY", "msg": "CANARY", "cmd": "CANARY"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("plain ü\ttab", "plain ü\ttab"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("a\rb\x08\x7f", "a\\x0db\\x08\\x7f"),
        ("dos\r\nline", "dos\nline"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_printable(raw: str, expected: str) -> None:
    assert text.printable(raw) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\nb\n", ["a", "b"]),
        (["a\nb", "c"], ["a", "b", "c"]),
        ([], ["[]"]),
        (3, ["3"]),
        ({"k": [1]}, ["{", '  "k": [', "    1", "  ]", "}"]),
    ],
)
def test_readable(value: object, expected: list[str]) -> None:
    assert text.readable(value) == expected


def test_tail() -> None:
    assert text.tail(["1", "2"], 2) == ["1", "2"]
    assert text.tail(["1", "2", "3"], 2) == ["[1 lines above not shown, -v shows all]", "2", "3"]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"msg": "what\nwhere"}, ["    what", "    where"]),
        ({}, ["    the module gave no message"]),
        (
            {"msg": "non-zero return code", "cmd": ["ls", "/x"], "rc": 2, "stderr": "no\n", "stdout": ""},
            ["    non-zero return code", "    command: ls /x", "    exit code: 2", "    stderr:", "      no"],
        ),
        ({"msg": "same", "stderr": "same\n"}, ["    same"]),
        ({"msg": "m", "attempts": 3}, ["    m", "    attempts: 3"]),
        (CENSORED, ["    the output has been hidden"]),
    ],
)
def test_failure_lines(result: dict[str, Any], expected: list[str]) -> None:
    assert text.failure_lines(result) == expected


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"msg": "a\nb", "_ansible_verbose_always": True, "changed": False}, ["    a", "    b"]),
        ({"x": 3, "changed": False}, ["    x: 3"]),
        ({"x": "a\nb"}, ["    x:", "      a", "      b"]),
        ({"x": {"k": 1}}, ["    x: {", '      "k": 1', "    }"]),
        ({"x": ["a", "b"]}, ["    x:", "      a", "      b"]),
        (CENSORED, ["    the output has been hidden"]),
    ],
)
def test_message_lines(result: dict[str, Any], expected: list[str]) -> None:
    assert text.message_lines(result) == expected


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"skip_reason": "Conditional result was False", "false_condition": "x"}, ""),
        ({"skip_reason": "Conditional result was False"}, ""),
        ({"skipped_reason": "No items in the list"}, ""),
        ({"msg": "Verbosity threshold not met."}, ""),
        ({"msg": "skipped, since /x exists\nmore"}, "skipped, since /x exists"),
        ({"msg": "remote module does not support check mode"}, "remote module does not support check mode"),
        ({"censored": "hidden", "msg": "CANARY"}, ""),
        ({}, ""),
    ],
)
def test_skip_reason(result: dict[str, Any], expected: str) -> None:
    assert text.skip_reason(result) == expected


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["ok", "ok"], "ok=2"),
        (["ok", "changed"], "ok=2 changed=1"),
        (["failed", "ignored", "skipped", "unreachable"], "ok=1 skipped=1 failed=1 unreachable=1 ignored=1"),
        ([], ""),
    ],
)
def test_counts(outcomes: list[str], expected: str) -> None:
    assert text.counts(outcomes) == expected
