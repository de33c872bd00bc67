# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Erasing one person's documents: what is asked for, and what is said. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

PAGE = 1000


def problem(user_id: str) -> str:
    """Why nothing can be erased; empty where it can."""
    if not user_id.strip() or any(sign in user_id for sign in "*?"):
        return f"user_id is {user_id!r}, and must be one person's, without * and ?. Nothing was looked for."
    return ""


def query(user_id: str) -> dict[str, Any]:
    return {"term": {"user.id": user_id}}


def page(user_id: str) -> dict[str, Any]:
    """The next documents; those that were deleted are not found again."""
    return {"size": PAGE, "query": query(user_id), "_source": False}


def deletions(hits: Sequence[Mapping[str, Any]]) -> str:
    """A bulk request. A stream cannot delete; the index behind it can, so it works on a build without delete_by_query,
    too."""
    return "".join(json.dumps({"delete": {"_index": hit["_index"], "_id": hit["_id"]}}) + "\n" for hit in hits)


def failures(answer: Mapping[str, Any]) -> list[str]:
    """What was not deleted, and why; one that is gone already is well."""
    found = []
    for item in answer.get("items", []):
        said = item.get("delete", {})
        if said.get("status") not in (200, 404):
            found.append(
                f"{said.get('_index')}/{said.get('_id')}: {(said.get('error') or {}).get('reason', said.get('status'))}"
            )
    return found


def report(user_id: str, counts: Mapping[str, int], erased: bool, check: bool) -> list[str]:
    lines = [f"{name}: {count} documents" for name, count in sorted(counts.items()) if count]
    total = sum(counts.values())
    if not total:
        return [f"No stream has a document of user {user_id}."]
    if erased:
        return [*lines, f"{total} documents of user {user_id} were deleted."]
    how = "Without --check they would be deleted." if check else f"To delete them type it again: -e confirm={user_id}"
    return [*lines, f"{total} documents of user {user_id} were found, and nothing was deleted. {how}"]
