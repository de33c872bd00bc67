# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a run: plays, tasks, hosts and their outcomes. No I/O, and the time is always handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.trading.platform.plugins.module_utils._progress.estimate import (
    Cursor,
    Recorder,
    Steps,
    later_plays,
)
from ansible_collections.trading.platform.plugins.module_utils._progress.layout import (
    HostState,
    clock,
    numbers,
    remaining,
    step_label,
)

# A task is called slow after that long, then after twice as long, and so on: a log is told, not flooded.
STILL_AFTER = 30.0
_NAMES = 8


@dataclass
class Tally:
    """What became of one task on the hosts that started it."""

    uuid: str
    name: str
    since: float
    last: float
    running: set[str] = field(default_factory=set)
    outcomes: dict[str, str] = field(default_factory=dict)
    still_at: float = STILL_AFTER


@dataclass
class Run:
    """One playbook run. `history` is what the last run of the same kind took."""

    history: Mapping[str, Steps] = field(default_factory=dict)
    play_total: int = 0
    started: float = 0.0
    play: str = ""
    play_number: int = 0
    play_since: float = 0.0
    tasks_begun: int = 0
    recorder: Recorder = field(default_factory=Recorder)
    hosts: dict[str, HostState] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    _cursors: dict[str, Cursor] = field(default_factory=dict)
    _cursor: Cursor = field(default_factory=lambda: Cursor(()))
    _task: str = ""
    _task_since: float = 0.0

    def start_play(self, name: str, now: float) -> None:
        key = self.recorder.start_play(name, now)
        self.play, self.play_number, self.play_since = name, self.play_number + 1, now
        self._cursor = Cursor(self.history.get(key, ()))
        self.hosts, self._cursors, self._task = {}, {}, ""

    def start_task(self, uuid: str, name: str, now: float) -> list[Tally]:
        """Begin a task; returns those that are thereby over. Strategy free announces a task for each host."""
        over: list[Tally] = []
        if uuid != self._task:
            over = self.close(only_done=True)
            self._task, self._task_since = uuid, now
            self.tasks_begun += 1
            self.recorder.start_step(name, now)
            self._cursor.advance(name)
        if uuid not in self.tallies:
            self.tallies[uuid] = Tally(uuid, name, since=now, last=now)
        return over

    def close(self, only_done: bool = False) -> list[Tally]:
        """Take the tasks out that are over (all, at the end of a play) and that any host has answered."""
        over = [tally for tally in self.tallies.values() if not (only_done and tally.running)]
        for tally in over:
            del self.tallies[tally.uuid]
        return [tally for tally in over if tally.outcomes]

    def start_host(self, host: str, uuid: str, name: str, now: float) -> None:
        tally = self.tallies.get(uuid) or self.tallies.setdefault(uuid, Tally(uuid, name, since=now, last=now))
        tally.running.add(host)
        cursor = self._cursors.get(host)
        if cursor is None:
            cursor = self._cursors[host] = Cursor(self._cursor.steps)
        cursor.advance(tally.name)
        self.hosts.setdefault(host, HostState(host))
        # One assignment, so that the drawing thread never sees half of the change.
        self.hosts[host] = HostState(host, step=step_label(tally.name), since=now, busy=True)

    def finish_host(self, host: str, uuid: str, outcome: str, now: float) -> None:
        tally = self.tallies.get(uuid)
        if tally is not None:
            tally.running.discard(host)
            tally.outcomes[host] = outcome
            tally.last = now
        state = self.hosts.get(host, HostState(host))
        gone = outcome if outcome in ("failed", "unreachable") else ""
        self.hosts[host] = replace(state, since=now, busy=False, gone=gone, note="")

    def note(self, host: str, text: str) -> None:
        if host in self.hosts:
            self.hosts[host] = replace(self.hosts[host], note=text)

    def end(self, now: float) -> None:
        self.recorder.finish_step(now)
        self.play, self.hosts = "", {}

    def view(self, now: float) -> list[HostState]:
        """The hosts with their estimates, for drawing."""
        states = list(self.hosts.values())
        return [replace(s, left=self._left(s, now)) if s.busy else s for s in states]

    def _left(self, state: HostState, now: float) -> float | None:
        cursor = self._cursors.get(state.name)
        return cursor.left(now - state.since) if cursor else None

    def left(self, now: float) -> float | None:
        """Seconds left in the whole run; None without a last run to judge by."""
        here = self._cursor.left(now - self._task_since)
        return None if here is None else here + later_plays(self.history, self.recorder.plays)

    def status(self, now: float) -> tuple[str, str]:
        """The last line of the block: where the run is, and its times."""
        number = f" {self.play_number}/{self.play_total}" if self.play_total >= self.play_number > 0 else ""
        known = sum(len(steps) for steps in self.history.values())
        task = f"{self.tasks_begun}/{known}" if known >= self.tasks_begun else str(self.tasks_begun)
        return f"PLAY{number} [{self.play}]  task {task}", numbers(now - self.started, self.left(now))

    def still(self, now: float) -> list[str]:
        """Lines about tasks that have run long, each time twice as long as before."""
        lines = []
        for tally in list(self.tallies.values()):
            running, elapsed = sorted(tally.running), now - tally.since
            if running and elapsed >= tally.still_at:
                tally.still_at = 2 * max(elapsed, tally.still_at)
                more = f" and {len(running) - _NAMES} more" if len(running) > _NAMES else ""
                names = ", ".join(running[:_NAMES]) + more
                left = remaining(self.left(now))
                lines.append(f"still at [{tally.name}] after {clock(elapsed)} on {names}{f' ({left})' if left else ''}")
        return lines

    def unfinished(self, now: float) -> list[str]:
        """Where the hosts stood, for a run that ends before its time."""
        lines = [f"{s.name}: {s.step} ({clock(now - s.since)})" for s in self.hosts.values() if s.busy]
        return lines if len(lines) <= _NAMES else [*lines[:_NAMES], f"and {len(lines) - _NAMES} more hosts"]
