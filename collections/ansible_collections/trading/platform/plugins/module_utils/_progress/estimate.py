# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last run took, and from that what is left of this one. No I/O, and the time is always handed in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

FORMAT = 1
# Nothing takes four months; NaN and infinity are not times either.
_MAX_SECONDS = 1e7

Steps = tuple[tuple[str, float], ...]
History = dict[str, Steps]


def run_key(playbook: str, inventories: Sequence[str], options: Mapping[str, object]) -> str:
    """Only runs of one playbook on one inventory with the same limit and tags are alike enough to compare."""
    text = json.dumps([playbook, list(inventories), {k: repr(options[k]) for k in sorted(options)}])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def parse(text: str) -> History:
    """Read a history; whatever is not one is no history, because an estimate is never worth a failed run."""
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            return {}
        plays = data["plays"].items()
        return {str(play): tuple(_step(name, seconds) for name, seconds in steps) for play, steps in plays}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _step(name: object, seconds: object) -> tuple[str, float]:
    if not isinstance(seconds, int | float) or not 0 <= seconds < _MAX_SECONDS:
        raise ValueError(f"{seconds!r} is not a duration")
    return str(name), float(seconds)


def dump(history: Mapping[str, Steps]) -> str:
    plays = {play: [[name, round(seconds, 3)] for name, seconds in steps] for play, steps in history.items()}
    return json.dumps({"format": FORMAT, "plays": plays}) + "\n"


@dataclass
class Cursor:
    """Where one host (or the whole run) stands in the list of steps that the last run of this play took."""

    steps: Steps
    position: int = 0  # the step after the current one
    current: float = 0.0  # how long the current step took last time
    _remaining: list[float] = field(init=False)

    def __post_init__(self) -> None:
        backwards = accumulate((seconds for _name, seconds in reversed(self.steps)), initial=0.0)
        self._remaining = list(backwards)[::-1]

    def advance(self, name: str) -> None:
        """Move to the next step of that name. A step unknown to the last run takes no time and moves nothing."""
        for index in range(self.position, len(self.steps)):
            if self.steps[index][0] == name:
                self.position, self.current = index + 1, self.steps[index][1]
                return
        self.current = 0.0

    def left(self, elapsed: float) -> float | None:
        """Seconds left in the play when the current step has run for that long; None where nothing is known."""
        if not self.steps:
            return None
        return self._remaining[self.position] + max(0.0, self.current - elapsed)


@dataclass
class Recorder:
    """Collects the steps of this run. A step lasts until the next one starts: the controller's own time counts too."""

    plays: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    play: str = ""
    _step: str = ""
    _since: float = 0.0

    def start_play(self, name: str, now: float) -> str:
        """Begin a play and return its key: a name that comes again (serial batches, imports) is numbered."""
        self.finish_step(now)
        key, number = name, 1
        while key in self.plays:
            number += 1
            key = f"{name} #{number}"
        self.plays[key] = []
        self.play = key
        return key

    def start_step(self, name: str, now: float) -> None:
        self.finish_step(now)
        self._step, self._since = name, now

    def finish_step(self, now: float) -> None:
        if self._step and self.play:
            self.plays[self.play].append((self._step, max(0.0, now - self._since)))
        self._step = ""

    def history(self) -> History:
        return {play: tuple(steps) for play, steps in self.plays.items() if steps}


def later_plays(history: Mapping[str, Steps], begun: Mapping[str, object]) -> float:
    """Seconds that the plays took last time which this run has not begun yet."""
    return sum(seconds for play, steps in history.items() if play not in begun for _name, seconds in steps)


def slowest(history: Mapping[str, Steps], count: int) -> list[tuple[str, str, float]]:
    """The longest steps as (play, step, seconds), longest first."""
    steps = [(play, name, seconds) for play, names in history.items() for name, seconds in names]
    return sorted(steps, key=lambda step: -step[2])[:count]
