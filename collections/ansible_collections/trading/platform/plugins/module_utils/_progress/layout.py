# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live block as text: which hosts get a line, and what stands in it. No I/O, and the time is always handed in."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# A host without work for that long steps back into the line of waiting hosts: what holds the run up stays in sight.
FOLD_AFTER = 2.0
# More lines than that are a wall of text, however tall the terminal is.
MAX_ROWS = 24
_NAME_COLUMN = 24
# An estimate under that rounds to nothing.
_SOON = 0.5


@dataclass
class HostState:
    """One host in the current play."""

    name: str
    step: str = ""
    since: float = 0.0  # start of the current step, or of the wait after it
    busy: bool = False
    gone: str = ""  # why it takes no further part: failed, unreachable
    note: str = ""
    left: float | None = None


@dataclass(frozen=True)
class Line:
    """A line of the block; kind chooses its colour."""

    text: str
    kind: str


def clock(seconds: float) -> str:
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def remaining(left: float | None) -> str:
    """The estimate in words: nothing where nothing is known, `overdue` where the last run was done by now."""
    if left is None:
        return ""
    return f"~{clock(left + _SOON)} left" if left >= _SOON else "overdue"


def numbers(elapsed: float, left: float | None) -> str:
    """Elapsed and estimate, each always as wide, so that the columns of the block stand still."""
    return f"{clock(elapsed):>7}  {remaining(left):<13}" if left is not None else f"{clock(elapsed):>7}"


def step_label(task: str) -> str:
    """`role : task` as Ansible names it, with the bar that the task names use."""
    return " | ".join(part.strip() for part in task.split(" : ", 1))


def width_of(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def fit(text: str, width: int) -> str:
    """Cut to that many terminal cells, with a mark where something is missing. Control characters become blanks."""
    text = "".join(char if char.isprintable() else " " for char in text)
    if width_of(text) <= width:
        return text
    if width < 1:
        return ""
    kept, used = [], 0
    for char in text:
        used += _cells(char)
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept) + "…"


def columns(left: str, right: str, width: int) -> str:
    """Left text cut so that the right one, which carries the numbers, is always whole where it fits at all."""
    if not right:
        return fit(left, width)
    room = width - width_of(right) - 2
    if room < width // 3:
        return fit(left, width)
    cut = fit(left, room)
    return f"{cut}{' ' * (room - width_of(cut))}  {right}".rstrip()


def host_line(host: HostState, now: float, name_width: int, width: int) -> Line:
    name = fit(host.name, name_width)
    step = host.step + (f" ({host.note})" if host.note else "")
    if not host.busy:
        return Line(fit(f"{name:<{name_width}}  {step}", width), "waiting")
    return Line(columns(f"{name:<{name_width}}  {step}", numbers(now - host.since, host.left), width), "busy")


def fold_line(label: str, names: Sequence[str], width: int) -> Line:
    """Many hosts in one line: names as far as they fit, then a count."""
    for shown in range(min(len(names), width // 2), 0, -1):
        more = f" and {len(names) - shown} more" if shown < len(names) else ""
        text = f"{label}: {' '.join(names[:shown])}{more}"
        if width_of(text) <= width:
            return Line(text, label)
    return Line(fit(f"{label}: {len(names)} hosts", width), label)


def _folded(hosts: Iterable[HostState], label: str, width: int) -> list[Line]:
    names = [host.name for host in hosts]
    return [fold_line(label, names, width)] if names else []


def block(hosts: Sequence[HostState], status: tuple[str, str], now: float, *, width: int, height: int) -> list[Line]:
    """The live block: hosts at work in the order the play knows them, the folded rest, then the state of the run."""
    gone = [host for host in hosts if host.gone]
    here = [host for host in hosts if not host.gone]
    idle = [host for host in here if not host.busy and now - host.since >= FOLD_AFTER]
    active = [host for host in here if host.busy or now - host.since < FOLD_AFTER]

    lines = _folded((h for h in gone if h.gone == "failed"), "failed", width)
    lines += _folded((h for h in gone if h.gone != "failed"), "unreachable", width)
    lines += _folded(idle, "waiting", width)
    lines.append(Line(columns(*status, width), "status"))

    room = max(1, min(height - 2, MAX_ROWS) - len(lines))
    shown, hidden = list(active), 0
    if len(active) > room:
        # The busiest are those longest at their step: they hold the others up.
        busiest = sorted(active, key=lambda host: (not host.busy, host.since))[: room - 1]
        chosen = {host.name for host in busiest}
        shown = [host for host in active if host.name in chosen]
        hidden = len(active) - len(shown)
    name_width = min(_NAME_COLUMN, max((width_of(host.name) for host in shown), default=0))
    top = [host_line(host, now, name_width, width) for host in shown]
    if hidden:
        top.append(Line(fit(f"and {hidden} more hosts at work", width), "waiting"))
    return top + lines


def rows_of(lines: Iterable[str], width: int) -> int:
    """Terminal rows that these lines take now: a window made narrower wraps what was drawn before."""
    return sum(max(1, -(-width_of(line) // max(1, width))) for line in lines)
