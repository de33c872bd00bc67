# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._progress import layout
from ansible_collections.trading.platform.plugins.module_utils._progress.layout import HostState


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1, "0:00"), (0, "0:00"), (12.9, "0:12"), (75, "1:15"), (3600, "1:00:00"), (90061, "25:01:01")],
)
def test_clock(seconds: float, expected: str) -> None:
    assert layout.clock(seconds) == expected


@pytest.mark.parametrize(
    ("left", "expected"), [(None, ""), (0, "overdue"), (0.4, "overdue"), (0.6, "~0:01 left"), (20, "~0:20 left")]
)
def test_remaining(left: float | None, expected: str) -> None:
    assert layout.remaining(left) == expected


@pytest.mark.parametrize(
    ("task", "expected"),
    [("base : Install packages", "base | Install packages"), ("install | X", "install | X"), ("", "")],
)
def test_step_label(task: str, expected: str) -> None:
    assert layout.step_label(task) == expected


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("short", 10, "short"),
        ("exactly", 7, "exactly"),
        ("too long", 5, "too …"),
        ("x", 0, ""),
        ("a\x1b[31mb\nc", 20, "a [31mb c"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
    ],
)
def test_fit(text: str, width: int, expected: str) -> None:
    assert layout.fit(text, width) == expected
    assert layout.width_of(layout.fit(text, width)) <= width


@pytest.mark.parametrize(
    ("left", "right", "width", "expected"),
    [
        ("db1  step", "0:12", 20, "db1  step       0:12"),
        ("db1  a long step", "0:12", 16, "db1  a lo…  0:12"),
        ("db1  step", "0:12  ~0:20 left", 20, "db1  step"),
        ("db1", "", 20, "db1"),
    ],
)
def test_columns(left: str, right: str, width: int, expected: str) -> None:
    assert layout.columns(left, right, width) == expected


@pytest.mark.parametrize(
    ("names", "width", "expected"),
    [
        (["a", "b"], 40, "waiting: a b"),
        (["alpha", "beta", "gammagamma"], 26, "waiting: alpha and 2 more"),
        (["a-very-long-name", "b"], 16, "waiting: 2 hosts"),
    ],
)
def test_fold_line(names: list[str], width: int, expected: str) -> None:
    assert layout.fold_line("waiting", names, width).text == expected


def busy(name: str, since: float, left: float | None = None) -> HostState:
    return HostState(name, step="s", since=since, busy=True, left=left)


def test_block_shows_who_works_and_folds_the_rest() -> None:
    hosts = [
        HostState("db1", step="base | Install packages", since=88, busy=True, left=20),
        HostState("db2", step="base | Install packages", since=99),
        HostState("lb1", step="x", since=90),
        HostState("lb2", step="x", since=90, gone="failed"),
        HostState("app1", step="x", since=90, gone="unreachable"),
    ]
    lines = layout.block(hosts, ("PLAY", "1:40"), 100, width=60, height=24)
    assert [(line.kind, line.text) for line in lines] == [
        ("busy", "db1  base | Install packages             0:12  ~0:20 left"),
        ("waiting", "db2  base | Install packages"),
        ("failed", "failed: lb2"),
        ("unreachable", "unreachable: app1"),
        ("waiting", "waiting: lb1"),
        ("status", "PLAY" + " " * 52 + "1:40"),
    ]


@pytest.mark.parametrize("height", [3, 5, 8, 12, 24, 200])
@pytest.mark.parametrize("width", [1, 10, 40, 200])
def test_block_never_outgrows_the_terminal(width: int, height: int) -> None:
    hosts = [busy(f"host{number}", since=number, left=5) for number in range(100)]
    lines = layout.block(hosts, ("PLAY 1/2 [Base]", "1:40"), 200, width=width, height=height)
    assert len(lines) <= max(height - 1, 2)
    assert all(layout.width_of(line.text) <= width for line in lines)


def test_block_keeps_the_busiest_in_the_order_of_the_play() -> None:
    hosts = [busy("a", 9), busy("b", 1), busy("c", 8), busy("d", 2), busy("e", 7)]
    lines = [line.text.split()[0] for line in layout.block(hosts, ("PLAY", ""), 10, width=40, height=6)]
    assert lines == ["b", "d", "and", "PLAY"]


def test_rows_of_counts_what_a_narrower_window_wraps() -> None:
    assert layout.rows_of(["x" * 80, "", "y"], 40) == 4
