# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What went wrong, in words that tell what to do next."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .slots import Spec
from .stats import Seen
from .world import Found

PULL_REASONS: tuple[tuple[str, str], ...] = (
    (
        r"unauthorized|denied|no basic auth|authentication required|\b40[13]\b",
        "the registry refuses the user or password",
    ),
    (r"manifest.*(verification|digest)|digest mismatch|did not match", "what came is not what the digest promised"),
    (r"manifest unknown|not found|no such image|\b404\b|does not exist", "the registry has no such image"),
    (r"x509|certificate|tls:", "the registry's certificate is not trusted by this host's engine"),
    (r"no space left", "the disk of /var/lib/docker is full"),
    (
        r"refused|timeout|timed out|no route|unreachable|no such host|reset by|\bEOF\b|deadline|cancell?ed|dial"
        r"|\b50[0-9]\b",
        "the registry does not answer",
    ),
)
# Names of things: digits in them are no status, words in them no reason.
NAMES = re.compile(r"https?://\S+|sha256:[0-9a-f]+|/\S+")
EXIT_REASONS = {
    125: "the engine could not run it",
    126: "its command cannot be executed",
    127: "its command does not exist in the image",
    137: "killed by SIGKILL",
    139: "crashed with a segmentation fault",
    143: "ended by SIGTERM",
}
LONGEST = 200


def pull(image: str, error: str) -> str:
    said = " ".join(error.split())[:LONGEST]
    told = NAMES.sub("", error.replace(image, ""))
    reason = next((text for pattern, text in PULL_REASONS if re.search(pattern, told, re.IGNORECASE)), "")
    return f"cannot pull {image}: {reason + ' (' + said + ')' if reason else said}"


def ended(found: Found) -> str | None:
    """Why this container counts as broken already, without waiting on."""
    if found.status in ("running", "created"):
        return None
    if found.status == "paused":
        return "is paused; docker unpause it"
    if found.oom:
        return "was killed for using more than its memory limit"
    reason = EXIT_REASONS.get(found.exit_code)
    return f"exited with code {found.exit_code}" + (f", {reason}" if reason else "")


def never_ready(spec: Spec, seconds: float, seen: Seen | None, answer: str) -> str:
    """`answer` is what the ready path said to us directly; haproxy keeps no body."""
    within = f"was not ready within {seconds:g} s"
    if spec.port is None:
        return f"{within}: {spec.ready or 'it'} {'is missing in it' if spec.ready else 'does not keep running'}"
    checked = f"; haproxy's check: {seen.check or seen.status}" if seen else "; haproxy does not know it"
    return f"{within}: {spec.ready} {answer}{checked}"


def answered(status: int, body: str) -> str:
    said = " ".join(body.split())
    return f'answered {status} "{said[:LONGEST]}"' if said else f"answered {status} without a word"


def failure(container: str, reason: str, logs: Sequence[str]) -> str:
    if not logs:
        return f"container {container} {reason}. It wrote no log."
    told = "\n".join(f"  {line}" for line in logs)
    return f"container {container} {reason}. Its last {len(logs)} log lines:\n{told}"
