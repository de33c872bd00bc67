# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds the fleet, whether it is frozen, and how that is told. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

UNITS = {"m": 60, "h": 3600, "d": 86400}


class LockError(Exception):
    """A refusal, in words for the one who is refused."""


class HeldError(LockError):
    """Another run holds the lock; its token tells the controller whether it is one of its own, and dead."""

    def __init__(self, message: str, token: str) -> None:
        super().__init__(message)
        self.token = token


@dataclass(frozen=True)
class Holder:
    """A run. Its token names the very process: machine, its boot, process number and start."""

    person: str
    controller: str
    playbook: str
    pid: int
    token: str
    since: float
    reason: str = ""
    inventory: str = ""
    overrides: str = ""

    @property
    def name(self) -> str:
        return f"{self.person}@{self.controller}"

    @property
    def words(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        over = f", in spite of the freeze: {self.overrides}" if self.overrides else ""
        return f"{self.name} runs {self.playbook}{why}, process {self.pid}, since {clock(self.since)}{over}"


@dataclass(frozen=True)
class Freeze:
    """Nobody changes the fleet, until a moment or until it is thawed."""

    who: str
    since: float
    reason: str
    until: float | None = None

    def active(self, now: float) -> bool:
        return self.until is None or now < self.until

    @property
    def words(self) -> str:
        end = f"until {clock(self.until)}" if self.until else "until it is thawed"
        return f"frozen by {self.who} since {clock(self.since)}, {end}: {self.reason}"


@dataclass(frozen=True)
class View:
    """The keys at one moment, with the revisions that a change of them is compared with; 0 is absent."""

    holder: Holder | None = None
    freeze: Freeze | None = None
    # Who took it last, or cleared it.
    last: Holder | None = None
    holder_revision: int = 0
    freeze_revision: int = 0
    last_revision: int = 0
    lease: int = 0
    # Seconds until the lock lapses by itself.
    remaining: int = 0

    def lines(self, now: float) -> list[str]:
        held = [f"held: {self.holder.words}; {lapse(self.remaining)}"] if self.holder else ["held: by nobody"]
        if not self.freeze:
            return held
        return [*held, self.freeze.words if self.freeze.active(now) else f"no longer {self.freeze.words}"]


def clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def lapse(seconds: int) -> str:
    return f"it lapses by itself in {seconds // 60} min {seconds % 60} s, unless that run renews it"


def packed(record: Holder | Freeze) -> str:
    return json.dumps(asdict(record), sort_keys=True)


def unpacked(kind: type[Holder] | type[Freeze], text: str) -> Any:
    """What cannot be read is no reason to go on."""
    try:
        found = json.loads(text)
        return kind(**{name: found[name] for name in kind.__dataclass_fields__ if name in found})
    except (ValueError, TypeError) as error:
        raise LockError(
            f"etcd's record of the {kind.__name__.lower()} cannot be read ({error}): {text[:200]!r}. "
            "A newer version of this project may have written it. Nothing was changed."
        ) from error


def moment(text: str, now: float) -> float | None:
    """`2026-12-24T18:00`, in UTC unless it says otherwise, or `90m`, `8h`, `3d` from now. Empty is no end."""
    if not text:
        return None
    if counted := re.fullmatch(r"(\d+)([mhd])", text):
        return now + int(counted[1]) * UNITS[counted[2]]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise LockError(
            f"until={text} is no moment. Write 2026-12-24T18:00 (UTC), or 90m, 8h, 3d. Nothing was changed."
        ) from None
    end = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if end <= now:
        raise LockError(f"until={text} is over: it is {clock(now)}. Nothing was changed.")
    return end


def command(me: Holder, playbook: str, extra: str = "") -> str:
    inventory = f" -i {me.inventory}" if me.inventory else ""
    return f"ansible-playbook playbooks/{playbook}.yml{inventory}{extra}"


def held(me: Holder, other: Holder, remaining: int) -> str:
    clear = command(me, "unlock", f" -e holder={other.name}")
    return (
        f"The fleet is being changed: {other.words}; {lapse(remaining)}. Wait, or ask {other.person}. "
        f"Only where that run is known to be dead: {clear}. Nothing was changed."
    )


def frozen(me: Holder, freeze: Freeze) -> str:
    return (
        f"The fleet is {freeze.words}. Wait, thaw it ({command(me, 'thaw')}), "
        "or go on all the same with -e \"override_freeze='why'\". Nothing was changed."
    )


def lost(view: View) -> str:
    other = view.holder or view.last
    now = f"{'Now' if view.holder else 'Last'}: {other.words}." if other else "Nobody is known to have had it."
    return (
        f"This run no longer holds the fleet: its lock was cleared, or lapsed and was taken. {now} It stops here; what "
        "it has changed so far stays. Look at playbooks/lock_status.yml, then run it again."
    )


def misnamed(name: str, other: Holder, remaining: int) -> str:
    typed = f"typed was {name!r}" if name else "no name was typed"
    return (
        f"The lock is not cleared: {typed}. {other.words}; {lapse(remaining)}. Where that run is known to "
        f"be dead, type its name: -e holder={other.name}. Nothing was changed."
    )
