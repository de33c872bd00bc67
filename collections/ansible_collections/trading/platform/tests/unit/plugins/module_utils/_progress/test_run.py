# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from ansible_collections.trading.platform.plugins.module_utils._progress import live, store
from ansible_collections.trading.platform.plugins.module_utils._progress.run import Run


def make_run() -> Run:
    run = Run(history={"P": (("a", 10.0), ("b", 5.0)), "Q": (("z", 3.0),)}, play_total=2)
    run.start_play("P", 0)
    return run


def test_run_follows_hosts_and_closes_tasks() -> None:
    run = make_run()
    assert run.start_task("1", "a", 0) == []
    run.start_host("h1", "1", "a", 0)
    run.start_host("h2", "1", "a", 0)
    assert [(host.name, host.left) for host in run.view(4)] == [("h1", 11), ("h2", 11)]
    assert run.left(4) == 14
    run.finish_host("h1", "1", "ok", 4)
    run.finish_host("h2", "1", "failed", 6)
    assert [(host.busy, host.gone) for host in run.view(6)] == [(False, ""), (False, "failed")]
    (tally,) = run.start_task("2", "b", 6)
    assert (tally.name, tally.outcomes, tally.last - tally.since) == ("a", {"h1": "ok", "h2": "failed"}, 6)
    assert run.status(7) == ("PLAY 1/2 [P]  task 2/3", "   0:07  ~0:07 left   ")


def test_run_takes_a_rescued_host_back() -> None:
    run = make_run()
    run.start_task("1", "a", 0)
    run.start_host("h1", "1", "a", 0)
    run.finish_host("h1", "1", "failed", 1)
    run.start_host("h1", "2", "rescue", 2)
    assert run.hosts["h1"].gone == ""
    assert run.unfinished(5) == ["h1: rescue (0:03)"]


def test_strategy_free_keeps_tasks_open_until_their_hosts_are_done() -> None:
    run = make_run()
    run.start_task("1", "a", 0)
    run.start_host("h1", "1", "a", 0)
    run.start_host("h2", "1", "a", 0)
    run.finish_host("h1", "1", "ok", 1)
    assert run.start_task("2", "b", 1) == []
    run.start_host("h1", "2", "b", 1)
    run.finish_host("h2", "1", "ok", 2)
    assert [tally.name for tally in run.start_task("3", "c", 3)] == ["a"]
    run.finish_host("h1", "2", "ok", 4)
    assert [tally.name for tally in run.close()] == ["b"]


def test_still_speaks_less_and_less_often() -> None:
    run = make_run()
    run.start_task("1", "slow", 0)
    run.start_host("h1", "1", "slow", 0)
    spoken = [second for second in range(0, 300, 5) if run.still(second)]
    assert spoken == [30, 60, 120, 240]
    assert run.still(1000) == ["still at [slow] after 16:40 on h1 (~0:18 left)"]


@pytest.fixture
def screen() -> live.Screen:
    return live.Screen(io.StringIO(), threading.RLock(), lambda width, _height: [("one", "one"), (f"w{width}", "two")])


def printed(screen: live.Screen) -> str:
    out = screen._out
    assert isinstance(out, io.StringIO)
    return out.getvalue()


def test_screen_moves_the_block_below_what_is_printed(screen: live.Screen) -> None:
    stream = live.Stream(screen, screen._out)
    screen.draw()
    stream.write("changed: [h1]\n")
    stream.flush()
    assert printed(screen) == "one\ntwo\n"
    screen.draw()
    assert printed(screen) == "one\ntwo\n\x1b[2A\r\x1b[Jchanged: [h1]\none\ntwo\n"


def test_screen_stops_with_nothing_lost_and_the_block_gone(screen: live.Screen) -> None:
    screen.start()
    live.Stream(screen, screen._out).write("last\n")
    screen.stop()
    assert printed(screen).endswith("last\n")
    screen.stop()


def test_screen_leaves_the_terminal_to_a_prompt(screen: live.Screen) -> None:
    stream = live.Stream(screen, screen._out)
    screen.draw()
    screen.pause()
    stream.write("password: ")
    screen.draw()
    assert printed(screen) == "one\ntwo\n\x1b[2A\r\x1b[Jpassword: "


def test_screen_that_cannot_draw_gives_up_and_prints_on() -> None:
    def broken(_width: int, _height: int) -> list[tuple[str, str]]:
        raise RuntimeError

    screen = live.Screen(io.StringIO(), threading.RLock(), broken)
    stream = live.Stream(screen, screen._out)
    stream.write("before\n")
    screen.start()
    screen._thread.join(timeout=5)
    stream.write("after\n")
    assert printed(screen) == "before\nafter\n"


def test_screen_redraws_are_bounded(screen: live.Screen) -> None:
    screen.start()
    done = threading.Event()
    threading.Timer(0.7, done.set).start()
    while not done.wait(0.001):
        screen.wake()
    screen.stop()
    assert 1 <= screen.draws <= 5


def test_store_writes_whole_files_and_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.json"
    store.save(path, "one")
    store.save(path, "two")
    assert store.load(path) == "two"
    assert [entry.name for entry in path.parent.iterdir()] == ["x.json"]
    path.write_bytes(b"\xff\xfe")
    assert store.load(path)
    with pytest.raises(OSError, match=r"x\.json"):
        store.save(path / "below", "no")
