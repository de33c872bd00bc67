# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved objects of a Kibana: what is, what is wanted, and what has to be imported. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Saved = Mapping[str, Any]


class Step(NamedTuple):
    """One object that has to be imported, and why."""

    object: Saved
    why: str

    @property
    def words(self) -> str:
        return f"{self.object['type']} {self.object['id']}: {self.why}"


def key(one: Saved) -> str:
    return f"{one['type']}/{one['id']}"


def wanted(objects: Sequence[Saved]) -> list[Saved]:
    """The objects as they are given, refused where Kibana would take them only by half."""
    found: dict[str, Saved] = {}
    for one in objects:
        kind, name = one.get("type"), one.get("id")
        if not isinstance(kind, str) or not isinstance(name, str) or not kind or not name:
            raise ValueError(f"A saved object has no type or no id: {json.dumps(one)[:120]}. Give it both.")
        where = f"The saved object {kind} {name}"
        if key(one) in found:
            raise ValueError(f"{where} is there twice. Give one of them another id.")
        if not isinstance(one.get("attributes"), Mapping) or not one["attributes"].get("title"):
            raise ValueError(f"{where} has no attributes with a title. Nobody would find it.")
        for reference in one.get("references") or ():
            if not {"name", "type", "id"} <= set(reference):
                raise ValueError(f"{where} has a reference without name, type or id.")
        found[key(one)] = one
    for one in found.values():
        for reference in one.get("references") or ():
            if key(reference) not in found:
                raise ValueError(
                    f"The saved object {one['type']} {one['id']} refers to {reference['type']} {reference['id']}, "
                    "which is not among them. Add it, or take the reference out."
                )
    return list(found.values())


def parsed(text: str) -> list[dict[str, Any]]:
    """Kibana's export: an object in each line, and a last line that counts them."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            one = json.loads(line)
        except ValueError as problem:
            raise ValueError(f"Line {number} of the saved objects is no JSON: {problem}") from None
        if not isinstance(one, dict):
            raise ValueError(f"Line {number} of the saved objects is no object.")
        if "exportedCount" not in one:
            found.append(one)
    return found


def ndjson(objects: Sequence[Saved]) -> str:
    return "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in objects)


def references(one: Saved) -> list[tuple[str, str, str]]:
    """Their order says nothing."""
    return sorted((str(ref["name"]), str(ref["type"]), str(ref["id"])) for ref in one.get("references") or ())


def digest(one: Saved) -> str:
    """Of what somebody sees; version and times are Kibana's own."""
    text = json.dumps([one["attributes"], references(one)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def same(want: Saved, have: Saved) -> bool:
    """Whether what we ask for is what is there. What Kibana adds of its own is no difference."""
    mine, theirs = want["attributes"], have.get("attributes") or {}
    return all(name in theirs and theirs[name] == value for name, value in mine.items()) and (
        references(want) == references(have)
    )


def steps(want: Sequence[Saved], have: Sequence[Saved], known: Mapping[str, Any]) -> list[Step]:
    """What has to be imported. `known` has the digests of what we gave and of what Kibana made of it: a release that
    writes an object in another way must not have it imported at every run for ever."""
    there = {key(one): one for one in have}
    found = []
    for one in want:
        now = there.get(key(one))
        if now is None:
            found.append(Step(one, "add"))
        elif not same(one, now) and known.get(key(one)) != [digest(one), digest(now)]:
            found.append(Step(one, "renew"))
    return found


def remembered(want: Sequence[Saved], have: Sequence[Saved]) -> dict[str, list[str]]:
    """For the next run: what Kibana wrote otherwise than it was given."""
    there = {key(one): one for one in have}
    return {
        key(one): [digest(one), digest(there[key(one)])]
        for one in want
        if key(one) in there and not same(one, there[key(one)])
    }


def form(text: str) -> tuple[str, bytes]:
    """The file as a browser would send it: content type and body. The boundary follows from the text."""
    boundary = "trading" + hashlib.sha256(text.encode()).hexdigest()[:32]
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="file"; filename="objects.ndjson"\r\n'
        "Content-Type: application/ndjson\r\n\r\n"
    )
    return f"multipart/form-data; boundary={boundary}", f"{head}{text}\r\n--{boundary}--\r\n".encode()


def refusals(answer: Mapping[str, Any]) -> list[str]:
    """What Kibana did not take, in words. Its status is 200 in any case."""
    found = []
    for one in answer.get("errors") or ():
        error = one.get("error") or {}
        missing = [f"{ref.get('type')} {ref.get('id')}" for ref in error.get("references") or ()]
        why = str(error.get("type") or "unknown") + (f": {', '.join(missing)}" if missing else "")
        found.append(f"{one.get('type')} {one.get('id')}: {why}")
    if not found and not answer.get("success"):
        found.append(f"it says no success and no reason: {json.dumps(answer)[:200]}")
    return found
