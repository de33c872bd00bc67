# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a canary, or a deploy after its first host, goes on: its numbers against the baseline's. Pure.

A side is {side: canary|baseline, service, requests, errors, latency_ms}: totals of one step, summed over hosts. `sides`
takes them from haproxy's counters; `asked` has Prometheus' word beside them. A number that could not be read is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Side = Mapping[str, Any]
# One error is chance, whatever the share; from two on the share counts.
CHANCE = 1
COLOURS = ("blue", "green")


def sides(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """From two looks of the module release at each host. Which colour is the canary's differs from host to host."""
    windows: dict[tuple[str, str], list[Any]] = {}
    for host, first in before.items():
        for colour in COLOURS:
            side = "baseline" if colour == first["live"]["colour"] else "canary"
            for service, then in first["counters"][colour].items():
                now = after[host]["counters"][colour].get(service)
                windows.setdefault((side, service), []).append(_window(then, now))
    return [{"side": side, "service": service, **_sum(seen)} for (side, service), seen in sorted(windows.items())]


def verdict(
    seen: Sequence[Side],
    min_requests: int = 100,
    error_margin: float = 0.01,
    latency_factor: float = 1.5,
    latency_slack_ms: float = 25,
    *,
    every_service: bool = True,
) -> dict[str, Any]:
    """{go, lines, reasons}. What cannot be read, and what says too little, is a no."""
    canary = {str(one["service"]): one for one in seen if one["side"] == "canary"}
    baseline = {str(one["service"]): one for one in seen if one["side"] == "baseline"}
    reasons = [f"{one['side']} {one['service']}: its numbers cannot be read." for one in seen if not _readable(one)]
    if not reasons and (not canary or set(canary) != set(baseline)):
        reasons = ["The two sides do not have the same services, so they cannot be compared."]
    if not reasons:
        total = sum(one["requests"] for one in canary.values())
        if total < min_requests:
            reasons.append(f"The canary served {total} requests; fewer than {min_requests} say nothing.")
        elif every_service:
            reasons += _silent(canary, baseline, min_requests)
        pairs = [(name, canary[name], baseline[name]) for name in sorted(canary)]
        together = ("all services", _total(canary.values()), _total(baseline.values()))
        for name, new, old in [*pairs, together] if len(pairs) > 1 else pairs:
            reasons += _errors(name, new, old, error_margin)
        for name, new, old in pairs:
            if min(new["requests"], old["requests"]) >= min_requests:
                reasons += _latency(name, new, old, latency_factor, latency_slack_ms)
    return {"go": not reasons, "lines": [_line(one) for one in seen], "reasons": reasons}


def gatekeeper(before: Mapping[str, Any], after: Mapping[str, Any], min_requests: int = 100) -> dict[str, Any]:
    """{go, asks, lines, reasons} of a deploy's first host, by two looks since its swap: is Prometheus asked of it?

    Nobody steers clients to a deploy, as is done for a canary. Where hardly any came there is nothing to compare, and
    it goes on as its containers are ready: a deploy by night is no failure. What cannot be read is a no.
    """
    colour = after["live"]["colour"]
    now = after["counters"][colour]
    seen = _sum([_window(then, now.get(service)) for service, then in before["counters"][colour].items()])
    if not _readable(seen):
        return {"go": False, "asks": False, "lines": [], "reasons": ["Its numbers cannot be read."]}
    enough = seen["requests"] >= min_requests
    few = f"It answered {seen['requests']} requests; fewer than {min_requests} say nothing, so nothing is compared."
    return {"go": True, "asks": enough, "lines": [] if enough else [few], "reasons": []}


def asked(answer: Mapping[str, Any], host: str) -> dict[str, Any]:
    """What Prometheus said, by the module prometheus_gate on its host. Silence is a no, unless nothing was asked."""
    if answer.get("skipped"):
        return {"go": True, "lines": [], "reasons": []}
    if "go" in answer:
        return {"go": answer["go"] is True, "lines": answer["lines"], "reasons": answer["reasons"]}
    why = answer.get("msg") or "no answer"
    return {"go": False, "lines": [], "reasons": [f"Prometheus could not be asked on {host}: {why}."]}


def _silent(canary: Mapping[str, Side], baseline: Mapping[str, Side], min_requests: int) -> list[str]:
    """A busy service must not speak for one that none of the canary's clients has reached."""
    return [
        f"{name}: the canary served none of its requests, the baseline {baseline[name]['requests']}; "
        "that says nothing of it."
        for name, new in sorted(canary.items())
        if not new["requests"] and baseline[name]["requests"] >= min_requests
    ]


def _errors(name: str, new: Side, old: Side, margin: float) -> list[str]:
    allowed = _ratio(old) + margin
    if new["errors"] <= CHANCE or _ratio(new) <= allowed:
        return []
    return [
        f"{name}: {new['errors']} of {new['requests']} requests of the canary failed ({_ratio(new):.1%}); "
        f"of the baseline's {_ratio(old):.1%}, allowed are {allowed:.1%}."
    ]


def _latency(name: str, new: Side, old: Side, factor: float, slack: float) -> list[str]:
    allowed = max(old["latency_ms"] * factor, old["latency_ms"] + slack)
    if new["latency_ms"] <= allowed:
        return []
    return [
        f"{name}: the canary takes {new['latency_ms']:.0f} ms on average; "
        f"the baseline {old['latency_ms']:.0f} ms, allowed are {allowed:.0f} ms."
    ]


def _window(before: Any, after: Any) -> tuple[int, int, float] | None:
    """Requests and errors between two looks. Counters that fell are those of another process: unreadable."""
    try:
        requests, errors = after["requests"] - before["requests"], after["errors"] - before["errors"]
        return (requests, errors, float(after["response_ms"])) if requests >= 0 and errors >= 0 else None
    except (KeyError, TypeError, ValueError):
        return None


def _sum(windows: Sequence[Any]) -> dict[str, Any]:
    if any(one is None for one in windows):
        return {"requests": None, "errors": None, "latency_ms": None}
    requests = sum(one[0] for one in windows)
    weighted = sum(one[0] * one[2] for one in windows)
    return {
        "requests": requests,
        "errors": sum(one[1] for one in windows),
        "latency_ms": weighted / requests if requests else 0.0,
    }


def _total(seen: Any) -> dict[str, Any]:
    each = list(seen)
    return {key: sum(one[key] for one in each) for key in ("requests", "errors")}


def _ratio(side: Side) -> float:
    return float(side["errors"] / side["requests"]) if side["requests"] else 0.0


def _readable(side: Side) -> bool:
    return all(isinstance(side.get(key), (int, float)) for key in ("requests", "errors", "latency_ms"))


def _line(side: Side) -> str:
    if not _readable(side):
        return f"{side['side']} {side['service']}: unreadable"
    return (
        f"{side['side']} {side['service']}: {side['requests']} requests, {side['errors']} errors, "
        f"{side['latency_ms']:.0f} ms on average"
    )
