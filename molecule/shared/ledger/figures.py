"""What follows from a journal and from what the database holds. No I/O here."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.journal import ACKNOWLEDGED, FAILED, UNKNOWN, Entry, Told

NOT_SENT, REFUSED, UNKNOWN_KIND = "not_sent", "refused", "unknown"
NOTICED_GAP = 0.5
EXAMPLES = 5
# Answers to COMMIT that say for certain that nothing was committed: data, integrity, state, rollback, raised.
# Anything else, the administrator's shutdown above all, can come after the commit record is on the primary's disk.
CERTAIN_CLASSES = ("22", "23", "25", "40", "P0")
COMPLETION_UNKNOWN = "40003"


def classify(stage: str, sqlstate: str | None) -> str:
    """What an error means for the write. stage: connect, body (COMMIT was not sent yet) or commit."""
    if stage == "connect":
        return NOT_SENT
    if stage == "body":
        return REFUSED
    certain = sqlstate is not None and sqlstate[:2] in CERTAIN_CLASSES and sqlstate != COMPLETION_UNKNOWN
    return REFUSED if certain else UNKNOWN_KIND


@dataclass(frozen=True)
class Gap:
    at: float
    seconds: float
    # Nothing was acknowledged after it any more.
    open: bool = False


def gaps(times: Sequence[float], began: float, ended: float) -> list[Gap]:
    """Between acknowledgements of any writer, longest first; one that lasts until the end counts, too."""
    moments = sorted(times)
    if not moments:
        return [Gap(began, max(ended - began, 0.0), True)]
    found = [Gap(one, two - one) for one, two in itertools.pairwise(moments)]
    found.append(Gap(moments[-1], max(ended - moments[-1], 0.0), True))
    return sorted(found, key=lambda gap: -gap.seconds)


def gap_figures(times: Sequence[float], began: float, ended: float) -> dict[str, Any]:
    found = gaps(times, began, ended)
    first = min(times, default=began)
    noticed = sorted((gap for gap in found if gap.seconds > NOTICED_GAP), key=lambda gap: gap.at)
    return {
        "longest_gap_s": round(found[0].seconds, 3),
        "longest_gap_at": round(found[0].at, 3),
        "longest_gap_at_s": round(found[0].at - first, 3),
        "gaps": [
            {"at": round(gap.at, 3), "at_s": round(gap.at - first, 3), "s": round(gap.seconds, 3), "open": gap.open}
            for gap in noticed
        ],
    }


def rate(times: Sequence[float]) -> float:
    """Acknowledgements a second, outages included."""
    span = max(times) - min(times) if len(times) > 1 else 0.0
    return round((len(times) - 1) / span, 1) if span else 0.0


def _some(references: Iterable[str]) -> list[str]:
    return sorted(references)[:EXAMPLES]


def compare(told: Told, present: Mapping[str, int]) -> dict[str, Any]:
    """The journal against what is there: how often each reference of this run was found."""
    acknowledged = {entry.reference: entry.at for entry in told.of(ACKNOWLEDGED)}
    unknown = {entry.reference for entry in told.of(UNKNOWN)} - acknowledged.keys()
    refused = {entry.reference for entry in told.of(FAILED) if entry.kind == REFUSED} - acknowledged.keys() - unknown
    lost = acknowledged.keys() - present.keys()
    doubled = {reference for reference, count in present.items() if count > 1}
    moments = [acknowledged[reference] for reference in lost]
    failures = Counter(entry.kind for entry in told.of(FAILED))
    return {
        "acknowledged": len(acknowledged),
        "lost": len(lost),
        "lost_references": _some(lost),
        "lost_first_at": round(min(moments), 3) if moments else None,
        "lost_span_s": round(max(moments) - min(moments), 3) if moments else 0.0,
        "doubled": len(doubled),
        "doubled_references": _some(doubled),
        "unknown": len(unknown),
        "unknown_present": len(unknown & present.keys()),
        "refused_present": len(refused & present.keys()),
        "unjournaled": len(present.keys() - acknowledged.keys() - unknown - refused),
        "failed_transactions": failures[NOT_SENT] + failures[REFUSED] + len(unknown),
        "failures": {NOT_SENT: failures[NOT_SENT], REFUSED: failures[REFUSED], UNKNOWN_KIND: len(unknown)},
    }


def figures(told: Told, present: Mapping[str, int]) -> dict[str, Any]:
    """The report's common part. A probe that was killed wrote no tail: its run ended with its last line."""
    times = [entry.at for entry in told.of(ACKNOWLEDGED)]
    began = float(told.head["began"])
    ended = float(told.tail.get("ended", max((entry.at for entry in told.entries), default=began)))
    return {
        "kind": told.head["kind"],
        "run": told.head["run"],
        "complete": bool(told.tail),
        "began": round(began, 3),
        "ended": round(ended, 3),
        "seconds": round(ended - began, 3),
        "ready_at": told.tail.get("ready_at"),
        "commits_per_s": rate(times),
        **compare(told, present),
        "failed_attempts": told.tail.get("failed_attempts", 0),
        "errors": told.tail.get("errors", []),
        **gap_figures(times, began, ended),
    }


def normal(text: str) -> str:
    """An error's text without what differs from one time to the next."""
    line = " ".join(text.split())[:300]
    line = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "REFERENCE", line)
    return re.sub(r"\b(process|transaction|relation|tuple) \(?[\d,]+\)?", r"\1 N", line, flags=re.IGNORECASE)


def reference_of(run: str, writer: int, sequence: int) -> str:
    """A UUID that begins with the run's 16 hexadecimal digits, so that one range finds all of a run."""
    digits = f"{run}{writer:04x}{sequence:012x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def reference_range(run: str) -> tuple[str, str]:
    return reference_of(run, 0, 0), reference_of(run, 0xFFFF, 0xFFFFFFFFFFFF)


def steady(counts: Sequence[Sequence[int]]) -> bool:
    """Counts by writer, one row each half second: the last two seconds went alike, and every writer takes part."""
    if len(counts) < 5:
        return False
    oldest, middle, newest = counts[-5], counts[-3], counts[-1]
    if any(now <= then for then, now in zip(middle, newest, strict=True)):
        return False
    before, after = sum(middle) - sum(oldest), sum(newest) - sum(middle)
    return before > 0 and abs(after - before) <= 0.5 * max(before, after)


@dataclass
class Interval:
    """From one acknowledged write to another, without a failed or a late try in between."""

    begin: float
    end: float
    writes: int = 1


@dataclass
class NodeStory:
    name: str
    acknowledged: list[float] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)


def node_story(name: str, entries: Iterable[Entry], most: float) -> NodeStory:
    """When a node was writable. `most`: the longest pause between two acknowledgements of one interval."""
    story = NodeStory(name)
    current: Interval | None = None
    for entry in sorted(entries, key=lambda entry: entry.at):
        if entry.letter != ACKNOWLEDGED:
            current = None
            continue
        story.acknowledged.append(entry.at)
        if current and entry.at - current.end <= most:
            current.end, current.writes = entry.at, current.writes + 1
        else:
            current = Interval(entry.at, entry.at)
            story.intervals.append(current)
    return story


def overlap(one: NodeStory, two: NodeStory) -> float:
    """Seconds in which both were writable."""
    return sum(
        max(0.0, min(first.end, second.end) - max(first.begin, second.begin))
        for first in one.intervals
        for second in two.intervals
    )


def interleaved(one: NodeStory, two: NodeStory) -> int:
    """Writes that one acknowledged while the other was writable; also a single write, which has no length."""

    def inside(story: NodeStory, other: NodeStory) -> int:
        return sum(any(interval.begin < at < interval.end for interval in other.intervals) for at in story.acknowledged)

    return inside(one, two) + inside(two, one)


def compare_nodes(stories: Sequence[NodeStory], injected: float | None = None) -> dict[str, Any]:
    """Never two writable nodes: overlap_s and interleaved are 0. last_ack_s is counted from the injection."""
    zero = injected if injected is not None else 0.0
    pairs = list(itertools.combinations(stories, 2))
    return {
        "kind": "two-writable",
        "injected": injected,
        "overlap_s": round(sum(overlap(one, two) for one, two in pairs), 3),
        "interleaved": sum(interleaved(one, two) for one, two in pairs),
        "nodes": {
            story.name: {
                "acknowledged": len(story.acknowledged),
                "first_ack_s": round(story.acknowledged[0] - zero, 3) if story.acknowledged else None,
                "last_ack_s": round(story.acknowledged[-1] - zero, 3) if story.acknowledged else None,
                "intervals": [
                    {"from_s": round(one.begin - zero, 3), "to_s": round(one.end - zero, 3), "writes": one.writes}
                    for one in story.intervals
                ],
            }
            for story in stories
        },
    }


def story_of(told: Told) -> NodeStory:
    """Three tries may be missing from an interval, or half a second: a busy machine is no failover."""
    return node_story(told.head["node"], told.entries, max(0.5, 4 * float(told.head["interval"])))
