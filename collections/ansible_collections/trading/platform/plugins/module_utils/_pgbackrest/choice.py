# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a target to the set and the timeline that hold it. No I/O: commits come by a function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from . import wal
from .stanza import Set, iso
from .wal import BackupError, Commit, Span

Bounds: TypeAlias = "tuple[Commit | None, Commit | None]"
BoundsOf = Callable[[int], Bounds]
ZONE = re.compile(r"(Z|[+-]\d\d(:?\d\d)?)$")
SECONDS = re.compile(r":\d\d:\d\d")


def read_moment(text: str) -> datetime:
    value = text.strip()
    advice = "write it as 2026-11-21 12:00:00+00:00, or with the zone of your clock, +01:00. Nothing was changed."
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise BackupError(f"the target time {text!r} cannot be read: {advice}") from error
    if moment.tzinfo is None or not ZONE.search(value) or not SECONDS.search(value):
        raise BackupError(f"the target time {text!r} has no zone or no seconds, so it is not one moment: {advice}")
    return moment.astimezone(UTC)


def write_moment(moment: datetime) -> str:
    """As PostgreSQL takes it, to the microsecond."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")


def chosen_lineage(
    asked: int | None, histories: Mapping[int, str], segments: Iterable[str]
) -> tuple[tuple[Span, ...], list[int]]:
    """The lineage asked for, or that of the newest timeline; and all that are known."""
    archived = {wal.timeline_of(one) for one in segments}
    spans = {one: wal.lineage(one, histories) for one in sorted(archived | set(histories))}
    known = sorted(set(spans) | {span.timeline for each in spans.values() for span in each})
    if not known:
        raise BackupError("the archive holds no WAL: look at archive_command on the primary. Nothing was changed.")
    timeline = known[-1] if asked is None else asked
    if timeline not in known:
        listed = ", ".join(map(str, known))
        raise BackupError(f"timeline {timeline} is unknown; the archive knows {listed}. Nothing was changed.")
    if timeline > 1 and timeline not in histories:
        raise BackupError(
            f"the archive lacks {timeline:08X}.history, so where timeline {timeline} begins is unknown. "
            "Archive it from the primary's pg_wal. Nothing was changed."
        )
    return spans.get(timeline) or wal.lineage(timeline, histories), known


def timeline_at(moment: datetime, spans: Sequence[Span], bounds_of: BoundsOf, known: Sequence[int]) -> int:
    """The timeline that the cluster was on at that time, among the lineage's.

    After a restore the part of the parent beyond the branch is on no younger timeline: the parent itself is the target.
    """
    child: Span | None = None
    for span in reversed(spans):
        first, last = bounds_of(span.timeline)
        if first is None or last is None:
            continue
        if moment > last.time:
            if child is None:
                raise after_the_end(moment, last)
            # A failover leaves nothing behind. A restore does: is that wanted, or what it went back to?
            if span.end is None or last.lsn < span.end:
                return child.timeline
            raise between(
                moment,
                older=span.timeline,
                last=last,
                younger=child.timeline,
                spans=spans,
                bounds_of=bounds_of,
                known=known,
            )
        if first.time <= moment:
            return span.timeline
        child = span
    if child is None:
        raise BackupError(
            "the archived WAL that was looked at holds no commit: raise max_segments "
            "(-e backup_max_segments=500). Nothing was changed."
        )
    return child.timeline


def between(
    moment: datetime,
    *,
    older: int,
    last: Commit,
    younger: int,
    spans: Sequence[Span],
    bounds_of: BoundsOf,
    known: Sequence[int],
) -> BackupError:
    for other in set(known) - {span.timeline for span in spans}:
        first, final = bounds_of(other)
        if first and final and first.time <= moment <= final.time:
            return BackupError(
                f"at {moment.isoformat()} the cluster was on timeline {other}, which a later restore left: the present "
                f"one, {spans[-1].timeline}, does not come from it. Say timeline: {other} for it. Nothing was changed."
            )
    return BackupError(
        f"at {moment.isoformat()} nothing ran: the last commit on timeline {older} is of {last.time.isoformat()}, "
        f"then a restore began timeline {younger}. Say that time for the state before the restore, or timeline: "
        f"{younger} for the one that it went back to. Nothing was changed."
    )


def after_the_end(moment: datetime, last: Commit) -> BackupError:
    return BackupError(
        f"the target {moment.isoformat()} lies after the end of the archived WAL: the latest that can be restored is "
        f"{last.time.isoformat()}. If the primary runs, pg_switch_wal() has the rest archived. Nothing was changed."
    )


def set_for(sets: Sequence[Set], spans: Sequence[Span], what: str, fits: Callable[[Set], bool]) -> Set:
    """The newest set that lies on the lineage and ended before the target."""
    ends = {span.timeline: span.end for span in spans}
    good = [one for one in sets if not one.error]
    on = [one for one in good if one.timeline in ends and _before(one.end, ends[one.timeline])]
    found = [one for one in on if fits(one)]
    if found:
        return max(found, key=lambda one: (one.stop, one.label))
    if on:
        first = min(on, key=lambda one: one.stop)
        raise BackupError(
            f"{what} lies before the end of the first backup on timeline {spans[-1].timeline}: the earliest that can "
            f"be restored is {iso(first.usable_from)} (WAL position {wal.write_lsn(first.end)}). Nothing was changed."
        )
    flagged = [one.label for one in sets if one.error]
    more = f" Sets with wrong page checksums are not used: {', '.join(flagged)}." if flagged else ""
    raise BackupError(
        f"no backup lies on timeline {spans[-1].timeline} or what it comes from, so {what} cannot be restored. Every "
        f"set was taken after it branched off.{more} Nothing was changed."
    )


def _before(position: int, end: int | None) -> bool:
    return end is None or position <= end


def owner(lsn: int, spans: Sequence[Span]) -> Span:
    """The timeline of a lineage that a position lies on."""
    return next(span for span in reversed(spans) if span.begin <= lsn)


def upto(timeline: int, spans: Sequence[Span]) -> tuple[Span, ...]:
    """The lineage of an ancestor, beyond the point where it was left."""
    found: list[Span] = []
    for span in spans:
        if span.timeline == timeline:
            return (*found, Span(timeline, span.begin))
        found.append(span)
    raise BackupError(f"timeline {timeline} is not in the lineage of {spans[-1].timeline}. Nothing was changed.")
