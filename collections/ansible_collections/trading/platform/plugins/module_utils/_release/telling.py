# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads before and after a release. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .gate import COLOURS

Looks = Mapping[str, Mapping[str, Any]]


# By the way that a release takes, what its hosts do.
WAYS = {
    "host_by_host": "{first} goes first; where it does not get healthy, the others stay as they are.",
    "at_once": "A second set gets ready on all hosts at once; where one does not, none switches. All do in one step.",
    "by_canary": "A second set gets ready on all hosts at once; where one does not, no client sees it.",
}


def plan(seen: Looks, target: str, last: Mapping[str, Any] | None = None, way: str = "host_by_host") -> list[str]:
    """Hosts in their order, from what to what, and how long it took the last time."""
    hosts = list(seen)
    width = max(map(len, hosts), default=0)
    lines = [f"{host.ljust(width)}  {_served(seen[host])} -> {target}" for host in hosts]
    if all((seen[host].get("live") or {}).get("release") == target for host in hosts):
        return [*lines, "Nothing to do but to look: every host serves it."]
    if len(hosts) > 1:
        lines.append(WAYS[way].format(first=hosts[0]))
    seconds = (last or {}).get("seconds")
    lines.append(
        f"Expected: {seconds:.0f} s, as the last time." if seconds else "Expected: not known, no run is on record."
    )
    return lines


def scale_plan(seen: Looks, instances: Mapping[str, int]) -> list[str]:
    """From how many instances to how many, host by host."""
    width = max(map(len, seen), default=0)
    lines = []
    for host, look in seen.items():
        moves = [
            f"{service} {look['instances'].get(service, 0)} -> {instances[service]}" for service in sorted(instances)
        ]
        lines.append(f"{host.ljust(width)}  {', '.join(moves)}")
    return [*lines, "All hosts at once. Where one fails, the others stay scaled."]


def scale_failure(seen: Looks, checked: Looks, instances: Mapping[str, int], why: Sequence[str]) -> list[str]:
    """Why a host was not scaled, and what each has now."""
    width = max(map(len, seen), default=0)
    lines = ["Not every host was scaled.", *(why or ["A host could not be reached."])]
    for host in seen:
        there = {service: checked[host]["instances"].get(service) for service in instances} if host in checked else {}
        has = ", ".join(f"{service} {number}" for service, number in sorted(there.items()))
        told = f"{has}: {'scaled' if there == instances else 'not scaled'}" if there else "not known"
        lines.append(f"{host.ljust(width)}  {told}")
    return [*lines, "Mend that and run the same again, or scale all back."]


def summary(seen: Looks, checked: Looks, swapped: Looks, seconds: float) -> list[str]:
    """What each host serves now, what its swap and the check took, which stops the old set, and what clients met."""
    width = max(map(len, seen), default=0)
    lines = []
    for host, after in checked.items():
        measured = _measured(swapped.get(host), after)
        took = [f"{word} {measured[key]:.1f} s" for key, word in MEASURED if key in measured]
        lines.append(f"{host.ljust(width)}  serves {_served(after)}" + (f": {', '.join(took)}" if took else ""))
    lines.append(traffic(seen, checked))
    lines.append(f"It took {seconds:.1f} s.")
    return lines


def reasons(failed: Looks) -> list[str]:
    """Host by host, in the words of the tasks that failed. A loop has none of its own, its items do."""
    lines = []
    for host, result in failed.items():
        items = [one for one in result.get("results") or () if one.get("failed") or one.get("unreachable")]
        lines += [f"{host}: {one['msg']}" for one in items or [result] if one.get("msg")]
    return lines


def failure(
    seen: Looks, checked: Looks, target: str, why: Sequence[str], seconds: float, *, withdrawn: bool = False
) -> list[str]:
    """Why a release was put back, and which hosts could not be."""
    lines = [f"{target} was {'withdrawn' if withdrawn else 'not released'}."]
    lines += why or ["A host could not be reached."]
    new = [host for host in checked if _live(checked[host]) == target != _live(seen[host])]
    if new:
        lines.append(f"Not put back, and still on {target}: {', '.join(new)}. Deploy what all hosts are to serve.")
    silent = [host for host in seen if host not in checked]
    if silent:
        lines.append(f"Not known is what these serve: {', '.join(silent)}. Look at them, then run this again.")
    return [*lines, *summary(seen, checked, {}, seconds)]


MEASURED = (("ready_s", "ready after"), ("drain_s", "drained in"), ("total_s", "altogether"))


def traffic(seen: Looks, checked: Looks) -> str:
    """Requests and errors over all hosts, by haproxy's counters before and after."""
    totals = dict.fromkeys(("requests", "errors", "connection_errors"), 0)
    for host, after in checked.items():
        for colour in COLOURS:
            for service, numbers in after["counters"][colour].items():
                before = seen[host]["counters"][colour].get(service, {})
                for key in totals:
                    totals[key] += numbers[key] - before.get(key, 0)
    if min(totals.values()) < 0:
        return "Requests in the meantime: not known, a proxy was started anew."
    return (
        f"Requests in the meantime: {totals['requests']}, of which {totals['errors']} failed; "
        f"{totals['connection_errors']} connections to containers failed."
    )


def usage(hosts: Mapping[str, Sequence[Mapping[str, str]]]) -> list[str]:
    """`docker stats` of all hosts as one table."""
    heads = ("HOST", "CONTAINER", "CPU", "MEMORY", "OF LIMIT", "PROCESSES", "NETWORK")
    keys = ("Name", "CPUPerc", "MemUsage", "MemPerc", "PIDs", "NetIO")
    rows = [
        (host, *(one.get(key, "") for key in keys))
        for host, found in hosts.items()
        for one in sorted(found, key=lambda one: one.get("Name", ""))
    ]
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in (heads, *rows)]  # noqa: B905 - one width a column


def _measured(*results: Mapping[str, Any] | None) -> dict[str, float]:
    """What the parts of one release took together."""
    sums: dict[str, float] = {}
    for result in results:
        for key, value in ((result or {}).get("measured") or {}).items():
            if value is not None:
                sums[key] = sums.get(key, 0.0) + value
    return sums


def _live(look: Mapping[str, Any]) -> str:
    return str((look.get("live") or {}).get("release", ""))


def _served(look: Mapping[str, Any]) -> str:
    live, other = look.get("live"), look.get("other")
    text = f"{live['release']} ({live['colour']})" if live else "nothing"
    return text + (f", {other['purpose']} {other['release']}" if other else "")
