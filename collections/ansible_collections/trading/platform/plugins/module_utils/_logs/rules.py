# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules by which logs are masked, and templates of their streams. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

CHECKS = ("", "luhn", "iban")
STREAM = re.compile(r"^[a-z][a-z0-9_]{0,49}$")
ENVIRONMENT = re.compile(r"^[a-z0-9_]{1,50}$")
RETENTION = re.compile(r"^[1-9][0-9]*[dhm]$")


def masks(rules: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rules as the edge's program wants them; ValueError names every one that is no good."""
    wrong: list[str] = []
    made: list[dict[str, Any]] = []
    for number, rule in enumerate(rules, 1):
        where = f"rule {rule.get('name') or number}"
        problem = _problem(rule)
        if problem:
            wrong.append(f"{where}: {problem}")
            continue
        made.append({
            "name": str(rule["name"]), "regex": str(rule["regex"]), "replacement": str(rule["replacement"]),
            "check": str(rule.get("check") or ""), "hints": [str(hint).lower() for hint in rule.get("hints") or []],
        })  # fmt: skip
    names = [one["name"] for one in made]
    wrong += [f"rule {name} stands twice" for name in sorted({name for name in names if names.count(name) > 1})]
    if wrong:
        raise ValueError(
            f"{'; '.join(wrong)}. Nothing is shipped with a rule that does not work; correct log_shipper_masks."
        )
    return made


def _problem(rule: Mapping[str, Any]) -> str:
    missing = [key for key in ("name", "regex", "replacement") if not rule.get(key)]
    if missing:
        return f"{' and '.join(missing)} is missing"
    if str(rule.get("check") or "") not in CHECKS:
        return f"check is {rule['check']!r}, and must be one of luhn, iban"
    try:
        pattern = re.compile(str(rule["regex"]))
    except re.error as error:
        return f"its regex does not compile: {error}"
    if pattern.search(""):
        return "its regex matches the empty text, and so everywhere"
    try:
        named = {number: name for name, number in pattern.groupindex.items()}
        groups = (f"(?P<{named[one]}>)" if one in named else "()" for one in range(1, pattern.groups + 1))
        re.sub("".join(groups), str(rule["replacement"]), "")
    except (re.error, IndexError) as error:
        return f"its replacement does not fit its regex: {error}"
    return ""


def streams(given: Sequence[Mapping[str, Any]], environment: str) -> list[tuple[str, str]]:
    """Name and retention; ValueError where Elasticsearch would refuse them."""
    wrong = []
    if not ENVIRONMENT.match(environment):
        wrong.append(f"environment is {environment!r}, and must be lower-case letters, digits and _")
    for one in given:
        if not STREAM.match(str(one["name"])):
            wrong.append(f"stream {one['name']!r}: a name is lower-case letters, digits and _")
        if not RETENTION.match(str(one["retention"])):
            wrong.append(f"stream {one['name']}: retention is {one['retention']!r}, and must be like 30d, 12h or 90m")
    if wrong:
        raise ValueError(f"{'; '.join(wrong)}.")
    return [(str(one["name"]), str(one["retention"])) for one in given]


def templates(
    given: Sequence[Mapping[str, Any]], environment: str, mappings: Mapping[str, Any], replicas: int
) -> dict[str, dict[str, Any]]:
    """One index template for each stream: they differ in how long they keep."""
    return {
        f"logs-{name}-{environment}": {
            "index_patterns": [f"logs-{name}-{environment}"],
            "priority": 500,
            "data_stream": {},
            "template": {
                "lifecycle": {"data_retention": retention},
                "settings": {
                    "index.number_of_shards": 1,
                    "index.number_of_replicas": replicas,
                    "index.refresh_interval": "5s",
                    "index.codec": "best_compression",
                    "index.mapping.ignore_malformed": True,
                },
                "mappings": dict(mappings),
            },
        }
        for name, retention in streams(given, environment)
    }
