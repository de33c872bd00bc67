# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Elasticsearch has against what it should have, and the calls between the two. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

RETENTION = re.compile(r"^[1-9][0-9]*[dhm]$")
# What Elasticsearch adds to what it was given.
ADDED = {
    "data_stream.hidden": "false",
    "data_stream.allow_custom_routing": "false",
    "template.lifecycle.enabled": "true",
}


@dataclass(frozen=True)
class Call:
    """One call of the API, and what it is about in words."""

    method: str
    path: str
    body: Mapping[str, Any] = field(repr=False)
    words: str
    before: Mapping[str, str] = field(default_factory=dict, repr=False)
    after: Mapping[str, str] = field(default_factory=dict, repr=False)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value by its dotted path, as the words Elasticsearch answers with: it makes texts of numbers and
    booleans."""
    if isinstance(value, Mapping):
        if not value and path:
            yield path, "{}"
        for key, one in value.items():
            yield from leaves(one, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            yield from leaves(one, f"{path}[{number}]")
    else:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)


def normal(template: Mapping[str, Any]) -> dict[str, str]:
    """Two templates that mean the same are the same."""
    found: dict[str, str] = {}
    for path, value in leaves(template):
        added = ADDED.get(path) == value
        place = path.rpartition(".")[0] if added else path
        if place.startswith("template.settings.") and not place.startswith("template.settings.index."):
            place = place.replace("template.settings.", "template.settings.index.", 1)
        found[place] = "{}" if added else value
    # An empty object says that something is there; its keys say it, too.
    return {
        path: value
        for path, value in found.items()
        if value != "{}" or not any(other.startswith(f"{path}.") for other in found)
        if path != "composed_of"
    }


def problems(templates: Mapping[str, Mapping[str, Any]], retentions: Mapping[str, str]) -> list[str]:
    wrong = [
        f"template {name}: index_patterns is missing"
        for name, body in templates.items()
        if not body.get("index_patterns")
    ]
    wrong += [
        f"stream {name}: retention is {value!r}, and must be a number with d, h or m, such as 30d"
        for name, value in retentions.items()
        if not RETENTION.match(str(value))
    ]
    return wrong


def template_calls(have: Mapping[str, Mapping[str, Any]], want: Mapping[str, Mapping[str, Any]]) -> list[Call]:
    """Templates that are missing or differ. Others are left alone."""
    calls = []
    for name, body in sorted(want.items()):
        before, after = normal(have.get(name, {})), normal(body)
        if before != after:
            verb = "change" if name in have else "add"
            calls.append(Call("PUT", f"/_index_template/{name}", body, f"template {name}: {verb}", before, after))
    return calls


def retention_calls(have: Mapping[str, str], want: Mapping[str, str]) -> list[Call]:
    """Streams that exist keep what their template said when they were made; they are told."""
    return [
        Call("PUT", f"/_data_stream/{name}/_lifecycle", {"data_retention": value}, f"stream {name}: keep for {value}",
             {name: have[name]}, {name: value})
        for name, value in sorted(want.items())
        if name in have and have[name] != value
    ]  # fmt: skip


def setting_calls(have: Mapping[str, Any], want: Mapping[str, Any]) -> list[Call]:
    """Settings of the cluster that differ, by dotted name; those that are not named are left alone."""
    present = dict(leaves(have))
    due = {name: value for name, value in want.items() if dict(leaves(value, name)) != {name: present.get(name)}}
    if not due:
        return []
    before = {name: present.get(name, "not set") for name in due}
    words = f"settings: {', '.join(sorted(due))}"
    return [
        Call(
            "PUT",
            "/_cluster/settings",
            {"persistent": due},
            words,
            before,
            {name: str(one) for name, one in due.items()},
        )
    ]


def shown(calls: Sequence[Call]) -> dict[str, str]:
    """For --diff: only what changes."""

    def text(side: str) -> str:
        lines = []
        for call in calls:
            one, other = call.before, call.after
            differs = {key for key in {*one, *other} if one.get(key) != other.get(key)}
            lines += [
                call.words,
                *(f"  {key}: {value}" for key, value in sorted(getattr(call, side).items()) if key in differs),
            ]
        return "\n".join(lines) + "\n" if lines else ""

    return {"before": text("before"), "after": text("after")}
