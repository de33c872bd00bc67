# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions in the WAL: their arithmetic, timelines, and what pg_waldump says of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

SEGMENT = 16 << 20
PER_LOG = (1 << 32) // SEGMENT
NAME = re.compile(r"[0-9A-F]{24}")
LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
# A timeline's parent, where it left it, and why.
HISTORY = re.compile(r"^\s*(\d+)\s+([0-9A-F]+/[0-9A-F]+)", re.MULTILINE)
COMMIT = re.compile(
    r"tx:\s+(\d+), lsn: ([0-9A-F]+/[0-9A-F]+),.* desc: COMMIT(?:_PREPARED (\d+):)? "
    r"(\d{4,}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC"
)
RESTORE_POINT = re.compile(r"lsn: ([0-9A-F]+/[0-9A-F]+),.* desc: RESTORE_POINT (.*)$")
RECORD = re.compile(r"lsn: ([0-9A-F]+/[0-9A-F]+),")


class BackupError(Exception):
    """What is wrong, where, and what to do. `details` go into the module's answer."""

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.details = details


@dataclass(frozen=True)
class Commit:
    xid: int
    lsn: int
    time: datetime


@dataclass(frozen=True)
class Span:
    """The part of a lineage on one timeline; `end` is where the next one leaves it."""

    timeline: int
    begin: int = 0
    end: int | None = None


def read_lsn(text: str) -> int:
    found = LSN.fullmatch(text.strip())
    if not found:
        raise BackupError(f"{text!r} is no WAL position; one looks like 0/176AD88. Nothing was changed.")
    return int(found[1], 16) << 32 | int(found[2], 16)


def write_lsn(lsn: int) -> str:
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def name(timeline: int, number: int) -> str:
    return f"{timeline:08X}{number // PER_LOG:08X}{number % PER_LOG:08X}"


def number(segment: str) -> int:
    return int(segment[8:16], 16) * PER_LOG + int(segment[16:24], 16)


def timeline_of(segment: str) -> int:
    return int(segment[:8], 16)


def lineage(timeline: int, histories: Mapping[int, str]) -> tuple[Span, ...]:
    """The timelines that one consists of, the oldest first. Timeline 1 has no history file."""
    spans: list[Span] = []
    begin = 0
    for parent, left in HISTORY.findall(histories.get(timeline, "")):
        end = read_lsn(left)
        spans.append(Span(int(parent), begin, end))
        begin = end
    return (*spans, Span(timeline, begin))


def path(spans: Sequence[Span], first: int, last: int) -> list[str]:
    """The segments that recovery asks for. One with a switch in it is read from the younger timeline."""
    begins = [(span.begin // SEGMENT, span.timeline) for span in spans]
    return [
        name(max(timeline for begin, timeline in begins if begin <= segment), segment)
        for segment in range(first, last + 1)
    ]


def gaps(names: Iterable[str]) -> list[str]:
    """What is missing between the first and the last of each timeline."""
    known = set(names)
    missing = []
    for timeline in sorted({timeline_of(one) for one in known}):
        numbers = sorted(number(one) for one in known if timeline_of(one) == timeline)
        missing += [name(timeline, one) for one in range(numbers[0], numbers[-1]) if name(timeline, one) not in known]
    return missing


def read_commits(text: str) -> list[Commit]:
    """Lines of pg_waldump, run with TZ=UTC and LC_ALL=C."""
    found = []
    for line in text.splitlines():
        seen = COMMIT.search(line)
        if seen:
            moment = datetime.fromisoformat(seen[4]).replace(tzinfo=UTC)
            found.append(Commit(int(seen[3] or seen[1]), read_lsn(seen[2]), moment))
    return found


def read_restore_points(text: str) -> list[tuple[str, int]]:
    return [(seen[2], read_lsn(seen[1])) for line in text.splitlines() for seen in [RESTORE_POINT.search(line)] if seen]


def read_positions(text: str) -> list[int]:
    return [read_lsn(seen) for seen in RECORD.findall(text)]
