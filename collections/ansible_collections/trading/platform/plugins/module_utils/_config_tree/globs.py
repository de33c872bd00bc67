# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Globs over paths, the same on the controller and on the host."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


@lru_cache(maxsize=256)
def compiled(glob: str) -> re.Pattern[str]:
    """`*` and `?` stay within one directory, `**` crosses them, `[ab]` is a class. A leading slash is ignored."""
    out: list[str] = []
    rest = glob.lstrip("/")
    while rest:
        if rest.startswith("**/"):
            out.append("(?:.*/)?")
            rest = rest[3:]
        elif rest.startswith("**"):
            out.append(".*")
            rest = rest[2:]
        elif rest[0] in "*?":
            out.append("[^/]*" if rest[0] == "*" else "[^/]")
            rest = rest[1:]
        elif rest[0] == "[" and "]" in rest[2:]:
            end = rest.index("]", 2)
            body = rest[1:end].replace("\\", "\\\\")
            out.append("[^" + body[1:] + "]" if body.startswith("!") else "[" + body + "]")
            rest = rest[end + 1 :]
        else:
            out.append(re.escape(rest[0]))
            rest = rest[1:]
    return re.compile("".join(out), re.DOTALL)


def matches(glob: str, path: str) -> bool:
    """Whether the glob covers the whole of a relative path."""
    return compiled(glob).fullmatch(path.lstrip("/")) is not None


def matches_any(globs: Iterable[str], path: str) -> bool:
    """Whether one of the globs covers the path."""
    return any(matches(glob, path) for glob in globs)


def is_literal(glob: str) -> bool:
    """Whether the glob names one path and no more."""
    return not any(char in glob for char in "*?[")
