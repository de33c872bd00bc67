# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bin/test counts, and what it says of a step that failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from program import imported

run = imported(Path(__file__).resolve().parents[1] / "run.py")

# As molecule frames it.
STORY = """\
\x1b[36mINFO\x1b[0m default: verify
  \x1b[2m│\x1b[0m E       assert 1 == 2
  \x1b[2m│\x1b[0m FAILED molecule/faults/tests/test_faults.py::test_4 - assert 1 == 2
  \x1b[2m│\x1b[0m 1 failed, 13 passed, 2 skipped in 70.13s (0:01:10)
  \x1b[2m└─ Return code: 1 ───
"""


@pytest.mark.parametrize(
    ("output", "code", "counts"),
    [
        ("14 passed in 2.0s\n", 0, (14, 0, 0)),
        ("===== 3 passed, 1 failed, 2 skipped in 2.0s =====\n", 1, (3, 1, 2)),
        (STORY, 1, (13, 1, 2)),
        # Its tests passed and yet it failed: what came after them did.
        (STORY.replace("1 failed, ", ""), 1, (13, 1, 2)),
        # It never came to its tests.
        ("", 0, (0, 1, 0)),
        ("fatal: [db1]: UNREACHABLE!\n", 4, (0, 1, 0)),
    ],
)
def test_counts(output: str, code: int, counts: tuple[int, int, int]) -> None:
    assert run.counted(output, code, many=True) == run.Outcome(*counts)


def test_reasons_name_the_test_before_they_say_why() -> None:
    assert run.reasons(STORY) == [
        "FAILED molecule/faults/tests/test_faults.py::test_4 - assert 1 == 2",
        "E       assert 1 == 2",
    ]


def test_reasons_are_the_last_lines_where_nothing_says_why() -> None:
    lines = [f"line {number}" for number in range(50)]
    assert run.reasons("\n".join(lines)) == lines[-run.TOLD_AT_MOST :]


def test_a_failed_step_is_told_again_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    broken = run.Step("broken", [sys.executable, "-c", "print('fatal: [db1]: no disk'); raise SystemExit(1)"])
    total = run.run_all([broken, run.Step("well", [sys.executable, "-c", ""])], workers=1, live=False)
    assert (total.passed, total.failed) == (1, 1)
    assert [block.splitlines()[1] for block in total.told] == ["  fatal: [db1]: no disk"]
    assert "failed broken" in capsys.readouterr().out


def test_what_would_begin_too_late_is_told_and_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "LATEST", 50.0)
    monkeypatch.setattr(run, "BEGAN", run.time.monotonic() - 51 * 60)
    story = run.Step("a story", [sys.executable, "-c", "raise SystemExit(1)"], many=True)
    # What cleans up is never too late.
    total = run.run_all([story, run.Step("cleaning", [sys.executable, "-c", ""])], workers=1, live=False)
    assert (total.passed, total.failed, total.skipped) == (1, 0, 1)
    assert total.told == ("skipped a story: 51 minutes are over, and TEST_LATEST_MINUTES is 50\n",)
    assert "skipped a story" in capsys.readouterr().out


def test_the_last_line_counts_and_the_one_before_says_the_minutes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "BEGAN", run.time.monotonic() - 47.5 * 60)
    monkeypatch.setattr(run, "prove", lambda _asked: run.Outcome(12, 1, told=("FAILED a story\n",)))
    monkeypatch.setattr(sys, "argv", ["bin/test", "--fast"])
    assert run.main() == 1
    assert capsys.readouterr().out.splitlines() == ["FAILED a story", "47.5 minutes", "12 passed, 1 failed"]


def test_each_commit_begins_with_another_story() -> None:
    stories = ["edge", "etcd", "redis"]
    assert run.turned(stories, "") == stories
    assert run.turned(stories, "4") == ["etcd", "redis", "edge"]
    assert {run.turned(stories, f"{number:040x}")[0] for number in range(40)} == set(stories)


def test_the_longest_stories_begin_first_and_each_once() -> None:
    found = run.scenarios(long=False)
    assert found[:3] == ["default", *run.LONGEST]
    assert len(found) == len(set(found))
