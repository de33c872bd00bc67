# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there: state, routes, containers; and what it means after a run that was killed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .records import Record, ReleaseError
from .slots import COLOURS, Slot, Spec, other, specs
from .stats import Seen

CANDIDATE, CANARY, STANDBY = "candidate", "canary", "standby"
USER = re.compile(r"[A-Za-z0-9_.:@-]{1,128}")
SHARES = range(101)
LONGEST_HISTORY = 20


@dataclass(frozen=True)
class Place:
    """A release in a colour. What serves has no purpose besides."""

    release: str
    colour: str
    purpose: str = ""

    def plain(self) -> dict[str, str]:
        plain = {"release": self.release, "colour": self.colour}
        return plain | {"purpose": self.purpose} if self.purpose else plain


@dataclass(frozen=True)
class State:
    live: Place | None = None
    other: Place | None = None
    history: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        return {
            "live": self.live.plain() if self.live else None,
            "other": self.other.plain() if self.other else None,
            "history": list(self.history),
        }


@dataclass(frozen=True)
class Routes:
    """What haproxy decides by."""

    live: str | None = None
    share: int = 0
    users: tuple[str, ...] = ()

    def maps(self) -> tuple[dict[str, str], dict[str, str]]:
        return {"live": self.live or "none", "share": str(self.share)}, dict.fromkeys(self.users, "1")


@dataclass(frozen=True)
class Found:
    """A container that is there."""

    name: str
    release: str
    colour: str
    spec: str
    status: str = "running"
    exit_code: int = 0
    armed: bool = True
    oom: bool = False

    @property
    def runs(self) -> bool:
        return self.status == "running"


@dataclass(frozen=True)
class World:
    """Everything that a plan is made from."""

    subnet: str
    state: State = State()
    routes: Routes = Routes()
    runtime: Routes = Routes()
    found: tuple[Found, ...] = ()
    seen: Mapping[Slot, Seen] = field(default_factory=dict)
    records: Mapping[str, Record] = field(default_factory=dict)
    # Images that are here by reference, and local tags; both to the image's id.
    images: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def of(self, colour: str) -> dict[str, Found]:
        return {found.name: found for found in self.found if found.colour == colour}

    def up(self, spec: Spec) -> bool:
        return spec.port is None or self.seen.get(spec.slot, Seen()).up

    def ready(self, colour: str | None) -> bool:
        """Whether every container that belongs there runs, and haproxy would send requests to it."""
        if colour not in COLOURS:
            return False
        there = self.of(colour)
        released = Counter(found.release for found in there.values())
        record = self.records.get(max(released, key=lambda name: released[name], default=""))
        if record is None:
            return False
        wanted = specs(record, colour, self.subnet)
        return bool(wanted) and all(s.name in there and there[s.name].runs and self.up(s) for s in wanted)


def read_state(raw: Any) -> State:
    def place(raw: Any, purposes: Sequence[str]) -> Place | None:
        if raw is None:
            return None
        read = Place(raw["release"], raw["colour"], raw.get("purpose", ""))
        if read.colour not in COLOURS or read.purpose not in purposes:
            raise ValueError(f"{raw} is no place of a release")
        return read

    try:
        live, beside = place(raw["live"], ("",)), place(raw["other"], (CANDIDATE, CANARY, STANDBY))
        return State(live, beside, tuple(str(name) for name in raw["history"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ReleaseError(
            f"state.json makes no sense ({error}); remove it, and it is made anew from the routes and the containers"
        ) from error


def read_routes(routes: Mapping[str, str], users: Iterable[str]) -> Routes:
    live, share = routes.get("live", "none"), routes.get("share", "0")
    if live not in (*COLOURS, "none") or not share.isdigit() or int(share) not in SHARES:
        raise ReleaseError(f"routes.map makes no sense: live {live}, share {share}; has to be blue or green, 0 to 100")
    return Routes(None if live == "none" else live, int(share), tuple(sorted(users)))


def user_problems(share: int, users: Iterable[str]) -> list[str]:
    problems = [f"{user!r} is no routing key" for user in users if not USER.fullmatch(user)]
    return problems if share in SHARES else [f"share has to be 0 to 100, not {share}", *problems]


def serving(world: World) -> Routes:
    """Who serves by right. The file says it; a file and a haproxy that differ are a switch that was cut short.

    That switch is finished, unless what it led to has died meanwhile and the old set still stands.
    """
    file, runtime, state = world.routes, world.runtime, world.state
    if file.live is None and state.live and world.ready(state.live.colour):
        return replace(file, live=state.live.colour)
    if file.live != runtime.live and not world.ready(file.live) and world.ready(runtime.live):
        return runtime
    return file


def settled(world: World) -> World:
    """The world as it would be if the last run had written down all that it did."""
    routes = serving(world)
    live = place_in(world, routes.live) if routes.live else None
    beside = next((p for c in COLOURS if c != routes.live and (p := place_in(world, c))), None)
    if beside and not beside.purpose:
        beside = replace(beside, purpose=STANDBY if live else CANDIDATE)
    history = world.state.history
    if live:
        live = replace(live, purpose="")
        history = (live.release, *(name for name in history if name != live.release))[:LONGEST_HISTORY]
    return replace(world, state=State(live, beside, history), routes=routes)


def place_in(world: World, colour: str) -> Place | None:
    for place in (world.state.live, world.state.other):
        if place and place.colour == colour:
            return place
    releases = Counter(found.release for found in world.of(colour).values())
    return Place(releases.most_common(1)[0][0], colour, CANDIDATE) if releases else None


def target(world: World) -> str:
    """The colour for a new set, in a settled world."""
    if world.routes.live:
        return other(world.routes.live)
    return world.state.other.colour if world.state.other else COLOURS[0]
