# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster-wide settings (GET and PATCH /config): what a wanted document changes. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .view import POSTMASTER


def same(have: Any, want: Any) -> bool:
    """Patroni compares texts; on and true, 5 and "5" and 5.0 mean the same to PostgreSQL too."""
    if isinstance(have, Mapping) or isinstance(want, Mapping):
        return (
            isinstance(have, Mapping)
            and isinstance(want, Mapping)
            and have.keys() == want.keys()
            and all(same(have[key], want[key]) for key in want)
        )
    if isinstance(have, list) or isinstance(want, list):
        return (
            isinstance(have, list)
            and isinstance(want, list)
            and len(have) == len(want)
            and all(same(left, right) for left, right in zip(have, want, strict=True))
        )
    return bool(_plain(have) == _plain(want))


def _plain(value: Any) -> Any:
    text = str(value).strip()
    if text.lower() in ("on", "true", "yes"):
        return True
    if text.lower() in ("off", "false", "no"):
        return False
    try:
        return float(text)
    except ValueError:
        return text


def without_nulls(value: Any) -> Any:
    """A null removes; in a branch that is new there is nothing to remove, and Patroni would keep the null itself."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


def patch_for(have: Mapping[str, Any], want: Mapping[str, Any]) -> dict[str, Any]:
    """The least PATCH that brings `want` into `have`. Empty when nothing has to change."""
    patch: dict[str, Any] = {}
    for key, value in want.items():
        if value is None:
            if key in have:
                patch[key] = None
        elif key not in have:
            kept = without_nulls(value)
            if kept != {} or value == {}:
                patch[key] = kept
        elif isinstance(value, Mapping) and isinstance(have[key], Mapping):
            inner = patch_for(have[key], value)
            if inner:
                patch[key] = inner
        elif not same(have[key], value):
            patch[key] = without_nulls(value)
    return patch


def patched(have: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`have` after the PATCH, as Patroni does it."""
    result = dict(have)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = patched(result[key], value)
        else:
            result[key] = value
    return result


def needs_restart(patch: Mapping[str, Any]) -> list[str]:
    """Parameters of a PATCH that PostgreSQL reads only when it starts."""
    inner = patch.get("postgresql")
    parameters = inner.get("parameters") if isinstance(inner, Mapping) else None
    return sorted(set(parameters) & POSTMASTER) if isinstance(parameters, Mapping) else []


def text(config: Mapping[str, Any]) -> str:
    """For the diff."""
    return json.dumps(config, indent=2, sort_keys=True, default=str) + "\n"
