# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How results read: failures with real newlines, skips with their reason, counts on one line. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

TAIL_LINES = 20
INDENT = "    "

# What a host sends must not move the operator's cursor or recolour the terminal: escape sequences go, other control
# characters are shown.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# A condition that is false is the ordinary way to leave a task out, a silent debug too: neither is news.
_ORDINARY_SKIPS = ("Conditional result was False", "Verbosity threshold not met.", "No items in the list")


def printable(text: str) -> str:
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return _CONTROLS.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


def readable(value: object) -> list[str]:
    """Lines of a message: text as it is, a list of texts a line each, anything else as indented JSON."""
    if isinstance(value, str):
        return printable(value).rstrip("\n").split("\n")
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return [line for item in value for line in readable(item)]
    return readable(json.dumps(value, indent=2, ensure_ascii=False, default=str, sort_keys=True))


def tail(lines: list[str], count: int = TAIL_LINES) -> list[str]:
    if len(lines) <= count:
        return lines
    return [f"[{len(lines) - count} lines above not shown, -v shows all]", *lines[-count:]]


def failure_lines(result: Mapping[str, object]) -> list[str]:
    """What a person needs of a failed result: the message, the command and its code, the ends of both outputs."""
    if "censored" in result:
        return [f"{INDENT}{printable(str(result['censored']))}"]
    lines = readable(result.get("msg") or "the module gave no message")
    if result.get("cmd") is not None:
        command = result["cmd"]
        lines += tail(readable(f"command: {' '.join(map(str, command)) if isinstance(command, list) else command}"))
    if result.get("rc") is not None:
        lines.append(f"exit code: {result['rc']}")
    if result.get("attempts") is not None:
        lines.append(f"attempts: {result['attempts']}")
    for key in ("module_stderr", "stderr", "module_stdout", "stdout"):
        text = result.get(key)
        if isinstance(text, str) and text.strip() and text.strip() != str(result.get("msg", "")).strip():
            lines.append(f"{key}:")
            lines += [f"  {line}" for line in tail(readable(text))]
    return [f"{INDENT}{line}".rstrip() for line in lines]


def message_lines(result: Mapping[str, object]) -> list[str]:
    """What debug and its like were asked to say: the message alone, or the variable by its name."""
    if "censored" in result:
        return [f"{INDENT}{printable(str(result['censored']))}"]
    if "msg" in result:
        return [f"{INDENT}{line}".rstrip() for line in readable(result["msg"])]
    shown = {k: v for k, v in result.items() if not k.startswith(("_", "ansible_")) and k not in ("changed", "item")}
    lines: list[str] = []
    for name, value in shown.items():
        first, *rest = readable(value)
        if rest and isinstance(value, str | list):
            first, rest = "", [f"  {line}" for line in (first, *rest)]
        lines += [f"{name}: {first}", *rest]
    return [f"{INDENT}{line}".rstrip() for line in lines]


def skip_reason(result: Mapping[str, object]) -> str:
    """Why a task was skipped, where that is news; empty for a plain `when`."""
    if "false_condition" in result or "censored" in result:
        return ""
    for key in ("msg", "skip_reason", "skipped_reason"):
        reason = str(result.get(key) or "").strip()
        if reason:
            return "" if reason.startswith(_ORDINARY_SKIPS) else printable(reason.splitlines()[0])
    return ""


COUNTS = ("ok", "changed", "skipped", "failed", "unreachable", "ignored")


def counts(outcomes: Iterable[str]) -> str:
    """Outcomes as the recap counts them: a changed host is ok too, an ignored failure as well. Zeroes are left out."""
    total = dict.fromkeys(COUNTS, 0)
    for outcome in outcomes:
        total[outcome] += 1
        if outcome in ("changed", "ignored"):
            total["ok"] += 1
    return " ".join(f"{name}={count}" for name, count in total.items() if count)
