"""What follows from what the load saw. No I/O here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# A latency is kept as the number of its bucket; each is a twentieth wider than the one below, so merging loses nothing.
FINEST_MS = 0.1
WIDER = 1.05
EXAMPLES = 8


def bucket(milliseconds: float) -> int:
    return max(0, math.ceil(math.log(max(milliseconds, FINEST_MS) / FINEST_MS, WIDER)))


def percentile(buckets: Mapping[int, int], share: float) -> float:
    """In milliseconds, at most a twentieth too high; 0.0 of nothing."""
    rank = math.ceil(sum(buckets.values()) * share)
    for number in sorted(buckets):
        rank -= buckets[number]
        if rank <= 0:
            return round(FINEST_MS * WIDER**number, 1)
    return 0.0


@dataclass
class Second:
    """What ended since the pulse before, a second ago or on a busy machine a little more."""

    seconds: float = 1.0
    requests: int = 0
    failed: int = 0
    releases: Counter[str] = field(default_factory=Counter)
    latencies: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    # The longest time without a success that ended, or still lasts, now.
    gap: float = 0.0
    # Clients whose release is another from now on: [sent at, key, before, after, sent before that].
    moved: list[list[Any]] = field(default_factory=list)
    # WebSockets that came back: {"code", "back_s", "from", "to"}.
    returned: list[dict[str, Any]] = field(default_factory=list)
    open_sockets: int = 0
    trades: int = 0

    def told(self, now: float) -> dict[str, Any]:
        return {
            "t": round(now, 3),
            "seconds": round(self.seconds, 3),
            "requests": self.requests,
            "failed": self.failed,
            "releases": dict(self.releases),
            "latencies": {str(number): count for number, count in self.latencies.items()},
            "errors": dict(self.errors.most_common(EXAMPLES)),
            "gap": round(self.gap, 3),
            "moved": self.moved,
            "returned": self.returned,
            "open_sockets": self.open_sockets,
            "trades": self.trades,
        }


def summary(seconds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of any number of seconds, as they were told."""
    releases, latencies, errors = Counter[str](), Counter[int](), Counter[str]()
    for one in seconds:
        releases.update(one["releases"])
        latencies.update({int(number): count for number, count in one["latencies"].items()})
        errors.update(one["errors"])
    returned = [socket for one in seconds for socket in one["returned"]]
    open_sockets = [one["open_sockets"] for one in seconds]
    return {
        "seconds": round(sum(one["seconds"] for one in seconds), 1),
        "requests": sum(one["requests"] for one in seconds),
        "failed": sum(one["failed"] for one in seconds),
        "errors": dict(errors.most_common(EXAMPLES)),
        "releases": dict(releases),
        "p50_ms": percentile(latencies, 0.5),
        "p95_ms": percentile(latencies, 0.95),
        "p99_ms": percentile(latencies, 0.99),
        "longest_gap_s": max((one["gap"] for one in seconds), default=0.0),
        "trades": sum(one["trades"] for one in seconds),
        "sockets_closed": dict(Counter(str(socket["code"]) for socket in returned)),
        "reconnect_s": max((socket["back_s"] for socket in returned), default=0.0),
        "sockets_missing": max(open_sockets) - open_sockets[-1] if seconds else 0,
    }


def strays(seconds: Sequence[Mapping[str, Any]], settle: float = 3.0) -> dict[str, list[str]]:
    """Keys that were answered again by a release that they had left, more than `settle` seconds after that.

    A share is not set on two hosts in the same instant; within that time a key may see both. What a key has left since
    before these seconds it left for another reason.
    """
    began = min((second["t"] - second["seconds"] for second in seconds), default=0.0)
    found: dict[str, list[str]] = {}
    left: dict[tuple[str, str], float] = {}
    moves = sorted(move for second in seconds for move in second["moved"] if move[4] >= began)
    for at, key, before, after, _seen in moves:
        gone = left.get((key, after))
        if gone is None:
            left.setdefault((key, before), at)
        elif at - gone > settle:
            found[key] = [before, after]
        # Else it was back at once: as if it had never gone.
    return found


def orders(acknowledged: Mapping[int, str], present: Iterable[tuple[int, str | None]]) -> dict[str, Any]:
    """Acknowledged orders (id -> Idempotency-Key) against all that the users' lists hold."""
    listed = list(present)
    ids = Counter(number for number, _key in listed)
    keys = Counter(key for number, key in dict(listed).items() if key)
    lost = acknowledged.keys() - ids.keys()
    doubled = {key for key, count in keys.items() if count > 1}
    # Two acknowledgements under one key must name one order, too.
    doubled |= {key for key, count in Counter(acknowledged.values()).items() if count > 1}
    return {
        "acknowledged": len(acknowledged),
        "lost": len(lost),
        "lost_ids": sorted(lost)[:EXAMPLES],
        "doubled": len(doubled),
        "doubled_keys": sorted(doubled)[:EXAMPLES],
    }
