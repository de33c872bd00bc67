# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A block of lines at the bottom of a terminal that is redrawn in place, under everything else that is printed.

Nothing about the terminal is changed: no raw mode, no hidden cursor, no second screen.
A run that is killed leaves it as it was.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol, TextIO

from ansible_collections.trading.platform.plugins.module_utils._progress.layout import rows_of

# Five redraws a second look alive; more cost the run time and a slow SSH line bytes.
REDRAW_SECONDS = 0.2
# Without news the clocks still move.
IDLE_SECONDS = 1.0


class Lock(Protocol):
    """What threading.RLock offers; its class has no public name."""

    def __enter__(self) -> bool: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


# Asked under the lock for the lines to show at a width and height: the plain text, and the same with colours.
Painter = Callable[[int, int], list[tuple[str, str]]]


class Stream:
    """Stands in for sys.stdout or sys.stderr: what is written waits until the block can be moved out of its way."""

    def __init__(self, screen: Screen, inner: TextIO) -> None:
        self._screen = screen
        self._inner = inner

    def write(self, text: str) -> int:
        self._screen.add(self._inner, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        """Ansible flushes before every fork, which may be often; what waits is written at the next tick."""
        self._inner.flush()

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            # Somebody is about to write past us, a prompt for instance.
            self._screen.clear()
        return getattr(self._inner, name)


class Screen:
    """Draws the block from a thread of its own and puts other output above it.

    The lock must be the one that Ansible's Display holds while it forks: a thread that held another lock at that
    moment would leave it locked in the child for ever.
    """

    def __init__(self, out: TextIO, lock: Lock, painter: Painter) -> None:
        self._out = out
        self._lock = lock
        self._painter = painter
        self._drawn: list[str] = []
        self._pending: list[tuple[TextIO, str]] = []
        self._paused = False
        self._stop = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self.draws = 0

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There is something new to show; it is shown at the next tick."""
        if not self._news.is_set():
            self._news.set()

    def add(self, stream: TextIO, text: str) -> None:
        with self._lock:
            if self._stop.is_set():
                stream.write(text)
            elif self._paused:
                stream.write(text)
                stream.flush()
            else:
                self._pending.append((stream, text))
        self.wake()

    def pause(self) -> None:
        """Leave the terminal to somebody who talks to the operator, until resume()."""
        with self._lock:
            self.clear()
            self._paused = True

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self.wake()

    def clear(self) -> None:
        """Write what waits and take the block off the screen."""
        with self._lock:
            self._write([])

    def stop(self) -> None:
        if not self._stop.is_set():
            self._stop.set()
            self._news.set()
            if self._thread.is_alive():
                self._thread.join(timeout=2)
        self.clear()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._news.wait(IDLE_SECONDS)
            self._news.clear()
            with self._lock:
                if self._stop.is_set():
                    return
                try:
                    self.draw()
                except Exception:  # the terminal is gone or a line cannot be drawn; the run goes on without the block
                    self._give_up()
                    return
            self._stop.wait(REDRAW_SECONDS)

    def _give_up(self) -> None:
        self._stop.set()
        with suppress(Exception):
            self._write([])

    def draw(self) -> None:
        if self._paused:
            return
        width, height = self._size()
        self._write(self._painter(width - 1, height))
        self.draws += 1

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._out.fileno())
        except (OSError, ValueError):
            return 80, 24
        return size.columns or 80, size.lines or 24

    def _write(self, lines: list[tuple[str, str]]) -> None:
        """Old block off, waiting text out, new block on; in one piece where one stream carries all of it."""
        plain = [text for text, _coloured in lines]
        if not self._pending and not self._drawn and not plain:
            return
        self._out.write(self._erase())
        unfinished = False
        for stream, text in self._pending:
            if stream is not self._out:
                self._out.flush()
            stream.write(text)
            if stream is not self._out:
                stream.flush()
            unfinished = not text.endswith("\n")
        self._pending.clear()
        if unfinished and plain:
            self._out.write("\n")
        self._out.writelines(f"{coloured}\n" for _text, coloured in lines)
        self._out.flush()
        self._drawn = plain

    def _erase(self) -> str:
        if not self._drawn:
            return ""
        rows = rows_of(self._drawn, self._size()[0])
        self._drawn = []
        return f"\x1b[{rows}A\r\x1b[J"


class Heartbeat:
    """Calls beat() now and then from a thread, so that a log without a live block still shows that the run is alive."""

    def __init__(self, beat: Callable[[], None], seconds: float) -> None:
        self._beat = beat
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self._beat()
