# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told of which alert: Alertmanager's configuration from a table. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

# What rules say of themselves. `none` is the watchdog's: it goes to the dead-man's switch alone.
SEVERITIES = ("critical", "warning", "info")
MATCHER = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
DEADMAN = "deadman"


class RoutingError(ValueError):
    """Routes that lead nowhere; the message lists every problem."""

    # Names and paths only. So preflight shows it, though a secret's name stands in the expression.
    quotes_no_value = True


def problems(
    severities: Mapping[str, str], receivers: Sequence[Mapping[str, Any]], routes: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """What would keep an alert from arriving."""
    names = [str(receiver.get("name")) for receiver in receivers]
    known = f"There are {', '.join(names) or 'none'}."
    yield from (f"receiver {name!r} is there twice" for name in sorted({n for n in names if names.count(n) > 1}))
    if DEADMAN in names:
        yield f"receiver {DEADMAN!r} is the dead-man's switch's own name; choose another"
    yield from (f"receiver {r['name']!r} tells nobody: it has no *_configs" for r in receivers if not _tells(r))
    yield from (f"severity {one!r} has no receiver" for one in SEVERITIES if not severities.get(one))
    for severity, receiver in severities.items():
        if severity not in SEVERITIES:
            yield f"severity {severity!r} is none that a rule has; there are {', '.join(SEVERITIES)}"
        elif receiver and receiver not in names:
            yield f"severity {severity!r} goes to the unknown receiver {receiver!r}. {known}"
    earlier: list[tuple[int, frozenset[tuple[str, str, str]]]] = []
    for number, route in enumerate(routes, start=1):
        if route.get("receiver") not in names:
            yield f"route {number} goes to the unknown receiver {route.get('receiver')!r}. {known}"
        matchers = [MATCHER.fullmatch(str(text).strip()) for text in route.get("matchers") or ()]
        if not matchers or None in matchers:
            said = f"route {number} has matchers that cannot be read: {route.get('matchers')!r}"
            yield f"{said}. Write a list like ['job=\"node\"']"
            continue
        wanted = frozenset((m[1], m[2], m[3]) for m in matchers if m)
        if reason := _never(wanted, earlier):
            yield f"route {number} can never match: {reason}"
        if not route.get("continue"):
            earlier.append((number, wanted))


def _tells(receiver: Mapping[str, Any]) -> bool:
    return any(name.endswith("_configs") and value for name, value in receiver.items())


def _never(
    wanted: frozenset[tuple[str, str, str]], earlier: Sequence[tuple[int, frozenset[tuple[str, str, str]]]]
) -> str:
    equal: dict[str, str] = {}
    for label, operator, value in sorted(wanted):
        if operator == "=" and equal.setdefault(label, value) != value:
            return f"{label} cannot be {equal[label]!r} and {value!r} at once"
        if label == "severity" and operator == "=" and value not in SEVERITIES:
            return f"no rule has severity {value!r}; there are {', '.join(SEVERITIES)}"
    for number, before in earlier:
        if before <= wanted:
            return f"route {number} takes all of it before"
    return ""


def files(told: Any) -> Iterator[str]:
    """Those that a part of the configuration names, as api_url_file does."""
    if isinstance(told, Mapping):
        for key, value in told.items():
            if str(key).endswith("_file"):
                yield str(value)
            else:
                yield from files(value)
    elif isinstance(told, list | tuple):
        for value in told:
            yield from files(value)


def unwritten(named: Mapping[str, Any], secrets: Collection[str], directory: str) -> Iterator[str]:
    """Files of secrets that nobody writes: Alertmanager would start without them, and fail with the first alert."""
    for name, told in named.items():
        wanted = {path.removeprefix(directory) for path in files(told) if path.startswith(directory)}
        for secret in sorted(wanted - set(secrets)):
            known = f"It has {', '.join(sorted(secrets)) or 'none'}."
            yield f"{name} reads {directory}{secret}, and alertmanager_secrets has no {secret!r}. {known}"


def accepted(
    severities: Mapping[str, str],
    receivers: Sequence[Mapping[str, Any]],
    routes: Sequence[Mapping[str, Any]],
    settings: Any = (),
    *,
    secrets: Collection[str] | None = None,
    directory: str = "",
) -> dict[str, str]:
    """The severities, where every alert arrives. It reads no secret, so preflight may show what it says.

    With the names of the secrets that are written into a directory, each that is named has to be among them: by a
    receiver, or by the settings beside them.
    """
    found = list(problems(severities, receivers, routes))
    if secrets is not None:
        named = {f"receiver {receiver.get('name')!r}": receiver for receiver in receivers}
        found += unwritten({**named, "what stands beside the receivers": settings}, secrets, directory)
    if found:
        raise RoutingError("; ".join(found))
    return dict(severities)


def config(
    severities: Mapping[str, str],
    receivers: Sequence[Mapping[str, Any]],
    *,
    routes: Sequence[Mapping[str, Any]],
    inhibitions: Sequence[Mapping[str, Any]],
    deadman: Mapping[str, Any],
    globals_: Mapping[str, Any],
    timing: Mapping[str, str],
) -> dict[str, Any]:
    """alertmanager.yml. deadman: webhook of the outside service, without a url there is none; timing: wait,
    interval, repeat, and critical_wait."""
    accepted(severities, receivers, routes)
    told = [dict(receiver) for receiver in receivers]
    ways: list[dict[str, Any]] = []
    # Without an outside service the watchdog goes nowhere, and not to whoever is paged.
    told.append({"name": DEADMAN, **({"webhook_configs": [dict(deadman)]} if deadman.get("url") else {})})
    ways.append({
        "matchers": ['alertname="Watchdog"'], "receiver": DEADMAN, "group_wait": "0s", "group_interval": "10s",
        "repeat_interval": "20s",
    })  # fmt: skip
    ways += [dict(route) for route in routes]
    # A rule may name who is to be told, where its severity alone would tell others.
    ways += [{"matchers": [f'notify="{receiver["name"]}"'], "receiver": receiver["name"]} for receiver in receivers]
    for severity in SEVERITIES:
        way: dict[str, Any] = {"matchers": [f'severity="{severity}"'], "receiver": severities[severity]}
        if severity == "critical":
            way["group_wait"] = timing["critical_wait"]
        ways.append(way)
    return {
        "global": dict(globals_),
        # What no route takes is a rule without a severity: somebody has to see it.
        "route": {
            "receiver": severities["critical"],
            "group_by": ["alertname", "env", "job"],
            "group_wait": timing["wait"],
            "group_interval": timing["interval"],
            "repeat_interval": timing["repeat"],
            "routes": ways,
        },
        "inhibit_rules": [dict(one) for one in inhibitions],
        "receivers": told,
    }
