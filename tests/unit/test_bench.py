# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bars of bench/run: what misses one, how that is told, and that docs/benchmarks.md says the same."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from bench import bars, bench

SECTIONS = {text.split(None, 2)[1]: text for text in re.split(r"^(?=## )", bench.RECORD.read_text(), flags=re.M)[1:]}
MOST: bars.Bar = ("at most", 2)
LEAST: bars.Bar = ("at least", 300)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bars.BARS, "held", {"gap_s": MOST, "commits": LEAST})


@pytest.fixture
def scratch_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    copy = tmp_path / "benchmarks.md"
    copy.write_text(bench.RECORD.read_text())
    monkeypatch.setattr(bench, "RECORD", copy)


@pytest.mark.parametrize(
    ("bar", "value", "good"),
    [
        (MOST, 1.9, True),
        (MOST, 2, True),
        (MOST, 2.01, False),
        (MOST, math.inf, False),
        (MOST, math.nan, False),
        (LEAST, 300, True),
        (LEAST, 299.9, False),
        (LEAST, math.nan, False),
    ],
)
def test_met(bar: bars.Bar, value: float, good: bool) -> None:
    assert bars.met(bar, value) is good


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize(
    ("name", "figures", "lines"),
    [
        ("held", {"gap_s": 2, "commits": 300, "free": 9}, []),
        ("held", {"gap_s": 2.5, "commits": 300}, ["held: gap_s is 2.5, its bar ≤ 2"]),
        (
            "held",
            {"gap_s": 3, "commits": 20},
            ["held: gap_s is 3, its bar ≤ 2", "held: commits is 20, its bar ≥ 300"],
        ),
        # What was not measured is not good.
        ("held", {"gap_s": 1}, ["held: commits is not measured, its bar ≥ 300"]),
        ("free", {"gap_s": 99}, []),
    ],
)
def test_missed(name: str, figures: dict[str, float], lines: list[str]) -> None:
    assert bars.missed(name, figures) == lines


@pytest.mark.usefixtures("held")
def test_table_says_bars_and_which_are_missed() -> None:
    said = bars.table("held", {"gap_s": 2, "commits": 20, "free": 0.5})
    assert said.splitlines() == [
        "| figure | value | bar |",
        "|---|---|---|",
        "| gap_s | 2 | ≤ 2 |",
        "| commits | 20 | ≥ 300, missed |",
        "| free | 0.5 | |",
    ]
    assert bars.recorded(f"## held\n\n{said}\n2 cores\n") == {"gap_s": 2, "commits": 20, "free": 0.5}


@pytest.mark.usefixtures("held")
def test_an_earlier_record_is_judged_by_the_bars_of_today() -> None:
    head = "## held\nText | of it.\n\n| figure | value | bar |\n|---|---|---|\n"
    earlier = f"{head}| gap_s | 2.5 | ≤ 3 |\n\n2 cores, 2026-11-21\n"
    assert bars.judged("held", earlier) == f"{head}| gap_s | 2.5 | ≤ 2, missed |\n\n2 cores, 2026-11-21\n"
    assert bars.judged("held", bars.judged("held", earlier)) == bars.judged("held", earlier)


@pytest.mark.usefixtures("held", "scratch_record")
@pytest.mark.parametrize(
    ("how", "gap", "told"),
    [
        ([], 1.0, ""),
        ([], 2.5, "bench: missed: held: gap_s is 2.5, its bar ≤ 2\n"),
        (["--json"], 2.5, "bench: missed: held: gap_s is 2.5, its bar ≤ 2\n"),
    ],
)
def test_a_missed_bar_ends_the_run_with_1_after_it_is_recorded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], how: list[str], gap: float, told: str
) -> None:
    # The one that misses comes first: what is well after it does not make it good.
    measured = {"held": lambda: {"gap_s": gap, "commits": 300.0}, "free": lambda: {"gap_s": 99.0}}
    monkeypatch.setattr(bench, "BENCHMARKS", measured)
    monkeypatch.setattr("sys.argv", ["bench/run", "all", "--record", *how])
    assert bench.main() == (1 if told else 0)
    said = capsys.readouterr()
    assert said.err == told
    assert said.out.count("gap_s") == len(measured)
    assert f"| gap_s | {gap:g} | ≤ 2" in bench.RECORD.read_text()


def test_every_benchmark_but_dbproxy_shared_has_bars() -> None:
    """A name misspelled in the table would hold nothing to anything."""
    assert bench.BENCHMARKS.keys() - bars.BARS.keys() == {"dbproxy_shared"}


@pytest.mark.parametrize("name", sorted(bars.BARS.keys() & SECTIONS.keys()))
def test_each_bar_is_of_a_figure_that_is_measured(name: str) -> None:
    assert bars.BARS[name].keys() <= bars.recorded(SECTIONS[name]).keys()


@pytest.mark.usefixtures("scratch_record")
def test_the_record_is_what_the_next_one_leaves() -> None:
    """A bar that changes is changed there, too."""
    before = bench.RECORD.read_text()
    name = min(SECTIONS)
    bench.record(name, SECTIONS[name].rstrip() + "\n")
    assert bench.RECORD.read_text() == before
