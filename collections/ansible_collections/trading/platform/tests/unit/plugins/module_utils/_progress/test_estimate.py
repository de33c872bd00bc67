# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._progress import estimate

STEPS = (("a", 10.0), ("b", 5.0), ("a", 2.0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("{", {}),
        ("[]", {}),
        ("null", {}),
        ('{"format": 0, "plays": {"p": [["a", 1]]}}', {}),
        ('{"format": 1, "plays": []}', {}),
        ('{"format": 1, "plays": {"p": [["a"]]}}', {}),
        ('{"format": 1, "plays": {"p": [["a", "1"]]}}', {}),
        ('{"format": 1, "plays": {"p": [["a", -1]]}}', {}),
        ('{"format": 1, "plays": {"p": [["a", NaN]]}}', {}),
        ('{"format": 1, "plays": {"p": [["a", Infinity]]}}', {}),
        ("[" * 100000, {}),
        ('{"format": 1, "plays": {"p": [["a", 1.5]]}}', {"p": (("a", 1.5),)}),
    ],
)
def test_parse_takes_a_history_or_nothing(text: str, expected: estimate.History) -> None:
    assert estimate.parse(text) == expected


def test_dump_and_parse_agree() -> None:
    history = {"Base": STEPS, "Daten ü": (("x", 0.25),)}
    assert estimate.parse(estimate.dump(history)) == history


def test_run_key_tells_runs_apart() -> None:
    keys = {
        estimate.run_key("a", ["i"], {}),
        estimate.run_key("b", ["i"], {}),
        estimate.run_key("a", ["j"], {}),
        estimate.run_key("a", ["i"], {"subset": "db1"}),
    }
    assert len(keys) == 4
    assert estimate.run_key("a", ["i"], {"x": 1, "y": 2}) == estimate.run_key("a", ["i"], {"y": 2, "x": 1})


@pytest.mark.parametrize(
    ("names", "elapsed", "expected"),
    [
        ([], 0, 17),
        (["a"], 0, 17),
        (["a"], 4, 13),
        (["a"], 99, 7),
        (["a", "b"], 1, 6),
        (["a", "new"], 3, 7),
        (["b"], 0, 7),
        (["a", "b", "a"], 1, 1),
        (["a", "b", "a", "a"], 0, 0),
    ],
)
def test_cursor_left(names: list[str], elapsed: float, expected: float) -> None:
    cursor = estimate.Cursor(STEPS)
    for name in names:
        cursor.advance(name)
    assert cursor.left(elapsed) == expected


def test_cursor_without_a_last_run_knows_nothing() -> None:
    cursor = estimate.Cursor(())
    cursor.advance("a")
    assert cursor.left(1) is None


def test_recorder_numbers_plays_that_come_again() -> None:
    recorder = estimate.Recorder()
    recorder.start_play("P", 0)
    recorder.start_step("a", 1)
    recorder.start_step("b", 3)
    recorder.start_play("P", 7)
    recorder.start_step("a", 8)
    recorder.finish_step(9)
    assert recorder.history() == {"P": (("a", 2), ("b", 4)), "P #2": (("a", 1),)}
    assert estimate.slowest(recorder.history(), 2) == [("P", "b", 4), ("P", "a", 2)]


def test_later_plays() -> None:
    assert estimate.later_plays({"P": STEPS, "Q": (("x", 3.0),)}, {"P": []}) == 3
