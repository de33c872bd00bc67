# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each state of change_lock does with the lock, and says. A check only looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .client import Locks
from .records import Freeze, LockError, frozen, held, moment

Done = tuple[bool, list[str]]


@dataclass(frozen=True)
class Asked:
    """What the task wants besides the state."""

    reason: str = ""
    override_freeze: str = ""
    until: str = ""
    holder: str = ""
    instead_of: str = ""
    check: bool = False


def acquired(locks: Locks, asked: Asked) -> Done:
    if asked.check:
        return looked(locks, asked)
    before = locks.acquire(asked.instead_of, asked.override_freeze)
    lines = []
    if before.holder and before.holder.token != locks.me.token:
        lines.append(f"taken over from a run that is dead: {before.holder.words}")
    if before.freeze and before.freeze.active(locks.me.since):
        lines.append(f"the fleet is {before.freeze.words}. Gone on all the same: {asked.override_freeze}")
    return False, lines


def looked(locks: Locks, asked: Asked) -> Done:
    """What a run that is no check would meet."""
    now = locks.view()
    if now.holder and now.holder.token not in (locks.me.token, asked.instead_of):
        return False, [f"would be refused: {held(locks.me, now.holder, now.remaining)}"]
    if now.freeze and now.freeze.active(locks.me.since) and not asked.override_freeze:
        return False, [f"would be refused: {frozen(locks.me, now.freeze)}"]
    return False, []


def renewed(locks: Locks, asked: Asked) -> Done:
    if asked.check or locks.renew():
        return False, []
    return False, ["the lock had lapsed during a long step; nobody came between, it is taken again"]


def released(locks: Locks, asked: Asked) -> Done:
    if asked.check or locks.release():
        return False, []
    other = locks.view().holder
    return False, [f"the lock was not this run's any more{f'; {other.words}' if other else ''}. It is left as it is"]


def status(locks: Locks, _asked: Asked) -> Done:
    return False, locks.view().lines(locks.me.since)


def cleared(locks: Locks, asked: Asked) -> Done:
    was = locks.clear(asked.holder, asked.check)
    if was is None:
        return False, ["held: by nobody; there is nothing to clear"]
    return True, [f"cleared: {was.words}. Where that run lives after all, it stops at its next step"]


def begun(locks: Locks, asked: Asked) -> Done:
    if not asked.reason:
        raise LockError(
            "A freeze needs a reason, which those who are refused will read: -e \"reason='...'\". Nothing was changed."
        )
    wanted = Freeze(locks.me.name, locks.me.since, asked.reason, moment(asked.until, locks.me.since))
    now = locks.view()
    already = now.freeze is not None and now.freeze.active(locks.me.since)
    changed = not already if asked.check else locks.freeze(wanted)
    under_way = [f"a run is under way and goes on: {now.holder.words}"] if now.holder else []
    return changed, [wanted.words, *under_way]


def thawed(locks: Locks, asked: Asked) -> Done:
    ended = locks.view().freeze if asked.check else locks.thaw()
    return ended is not None, [f"thawed; it was {ended.words}" if ended else "it was not frozen"]


# How a run goes back or ends. Without a word from etcd it does so all the same.
FORGIVING = ("kept", "released")

STATES: Mapping[str, Callable[[Locks, Asked], Done]] = {
    "acquired": acquired,
    "renewed": renewed,
    "kept": renewed,
    "released": released,
    "status": status,
    "cleared": cleared,
    "frozen": begun,
    "thawed": thawed,
}
