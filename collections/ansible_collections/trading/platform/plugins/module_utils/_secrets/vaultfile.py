# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a vault.yml, block by block, so that what is kept is kept to the letter. No I/O."""

from __future__ import annotations

import re

HEADER = """---
# Secrets of this environment, one encrypted value for each name. Written by bin/secrets init, see docs/secrets.md.
"""
WHOLE_FILE = "$ANSIBLE_VAULT;"
_BLOCK = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)\s*:", re.MULTILINE)


def inline(name: str, encrypted: str) -> str:
    """One encrypted value, as YAML."""
    lines = "".join(f"  {line}\n" for line in encrypted.strip().splitlines())
    return f"{name}: !vault |\n{lines}"


def literal(name: str, text: str) -> str:
    """One plain text of one or more lines, as YAML."""
    lines = "".join(f"  {line}\n" for line in text.splitlines())
    return f"{name}: |{'' if text.endswith(chr(10)) else '-'}\n{lines}"


def with_values(text: str, blocks: dict[str, str]) -> str:
    """Replace the blocks that are there, append the others in the order of their names."""
    starts = list(_BLOCK.finditer(text))
    if not starts:
        return (text or HEADER).rstrip("\n") + "\n" + "".join(blocks[name] for name in sorted(blocks))
    parts = [text[: starts[0].start()]]
    for place, start in enumerate(starts):
        end = starts[place + 1].start() if place + 1 < len(starts) else len(text)
        block = text[start.start() : end]
        parts.append(blocks[start[1]] + _tail(block) if start[1] in blocks else block)
    there = {start[1] for start in starts}
    if not parts[-1].endswith("\n"):
        parts[-1] += "\n"
    return "".join(parts + [blocks[name] for name in sorted(blocks) if name not in there])


def _tail(block: str) -> str:
    """Empty lines and comments after a value belong to the next one."""
    lines = block.splitlines(keepends=True)
    place = len(lines)
    while place > 1 and (not lines[place - 1].strip() or lines[place - 1].startswith("#")):
        place -= 1
    return "".join(lines[place:])
