# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a try has to do, computed from what was seen on the host. Pure."""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class Commit(NamedTuple):
    """What the host recorded when a ruleset was last confirmed."""

    token: str
    digest: str
    listing: str


class Observed(NamedTuple):
    """The host before the try. None stands for absent."""

    boot_text: str | None
    commit: Commit | None
    live: str | None
    boot_unit_ready: bool
    pending: bool


class Plan(NamedTuple):
    """Why something has to change, and the texts to show for it. No reasons: nothing to do."""

    reasons: tuple[str, ...]
    before: str
    after: str


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make_plan(desired: str, seen: Observed) -> Plan:
    """Compare the desired text with the committed one, and the live table with its listing at the commit."""
    reasons = []
    new_text = seen.boot_text != desired
    if seen.pending:
        reasons.append("an earlier change was never confirmed; it is put back before this one is tried")
    if new_text:
        reasons.append("the rules differ from the committed ones" if seen.boot_text else "no rules were committed yet")
    if seen.live is None:
        reasons.append("the table is not loaded")
    elif not seen.pending and (seen.commit is None or seen.commit.listing != seen.live):
        reasons.append("the loaded table is not the one that was committed")
    elif not new_text and seen.commit and seen.commit.digest != digest(desired):
        reasons.append("the last commit was interrupted")
    if not seen.boot_unit_ready:
        reasons.append("the boot unit is missing, altered or not enabled")
    if not reasons:
        return Plan((), desired, desired)
    if new_text or seen.commit is None:
        return Plan(tuple(reasons), seen.boot_text or "", desired)
    return Plan(tuple(reasons), seen.live or "", seen.commit.listing)
