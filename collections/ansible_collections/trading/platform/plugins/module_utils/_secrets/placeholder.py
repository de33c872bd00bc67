# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values cannot be a real secret. The one rule of bin/secrets and of preflight. No I/O."""

from __future__ import annotations

import re

SHORTEST = 8
SHORT = f"it is shorter than {SHORTEST} characters"
_FILLER = re.compile(
    r"(change|replace)[ _-]?(me|this|it).*|fill[ _-]?(me|this|it|in).*|(todo|tbd|fixme)\b.*"
    r"|(example|placeholder|dummy).*|your[ _-].*|(pass|secret)(word|phrase)?|x{3,}|\*+|\.{3,}|<[^<>]*>",
    re.IGNORECASE | re.DOTALL,
)


def unreal(name: str, value: str) -> str | None:
    """Why a value cannot be a real secret, without quoting it."""
    text = value.strip(" \t\r\n\"'")
    if not text:
        return "it is empty"
    if _FILLER.fullmatch(text):
        return "it is still a placeholder"
    if text.lower() in {name.lower(), f"vault_{name}".lower(), name.removeprefix("vault_").lower()}:
        return "it is the variable's own name"
    return SHORT if len(text) < SHORTEST else None
