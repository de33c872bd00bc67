# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps, and a draft that puts them in an order in which a run may be killed anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .records import Record, dropped, names
from .slots import Spec, local_tag, name_of, specs
from .world import CANDIDATE, Place, Routes, State, World, settled, target


@dataclass(frozen=True)
class Step:
    """One thing to do. Each can be done again after a run that was killed in it."""

    kind: str
    text: str
    specs: tuple[Spec, ...] = ()
    colour: str = ""
    names: tuple[str, ...] = ()
    images: tuple[tuple[str, str], ...] = ()
    state: State | None = None
    routes: Routes | None = None
    record: Record | None = None
    changes: bool = True


@dataclass(frozen=True)
class Plan:
    steps: tuple[Step, ...]
    # What puts everything back when a step from `begin` on fails. From `point` on only a rerun goes forward.
    undo: tuple[Step, ...] = ()
    begin: int = 0
    point: int = 0

    @property
    def changes(self) -> bool:
        return any(step.changes for step in self.steps)


class Draft:
    """Steps as they come together, and what the files will say by then."""

    def __init__(self, world: World) -> None:
        self.world = settled(world)
        self.steps: list[Step] = []
        self.undo: list[Step] = []
        self.begin = self.point = 0
        self._state = world.state
        self._routes = (world.routes, world.runtime)
        if self.world.routes.live:
            self.route(self.world.routes, f"finish what was cut short: {self.world.routes.live} serves")
        self.note(self.world.state)
        there = {found.name for found in world.found}
        self.enable(
            name for slot, seen in world.seen.items() if seen.taken_out and (name := name_of(slot)) not in there
        )

    @property
    def state(self) -> State:
        return self.world.state

    def add(self, *steps: Step) -> None:
        self.steps += steps

    def note(self, state: State) -> None:
        if state != self._state:
            self.add(noted(state))
            self._state = state

    def route(self, routes: Routes, text: str) -> None:
        if self._routes != (routes, routes):
            self.add(Step("route", text, routes=routes))
            self._routes = (routes, routes)

    def plan(self) -> Plan:
        return Plan(tuple(self.steps), tuple(self.undo), self.begin, self.point)

    def enable(self, some: Iterable[str]) -> None:
        slots = tuple(sorted(some))
        if slots:
            self.add(Step("enable", f"have haproxy check the slots of {names(slots)} again", names=slots))

    def fetch(self, record: Record) -> None:
        """Images here under the release's own tag, then the record: who has the record can run the release."""
        missing, untagged = {}, {}
        for service in record.services:
            tag = local_tag(record.name, service.name)
            if service.image not in self.world.images:
                missing[tag] = service.image
            elif self.world.tags.get(tag) != self.world.images[service.image]:
                untagged[tag] = service.image
        if missing:
            text = f"pull {names(sorted({short(image) for image in missing.values()}))}"
            self.add(Step("pull", text, images=tuple({**missing, **untagged}.items())))
        elif untagged:
            self.add(Step("pull", f"tag the images of {record.name}", images=tuple(untagged.items())))
        old = self.world.records.get(record.name)
        if not record.same(old):
            self.add(Step("record", f"write down {record.name}", record=record))
            if old:
                self.undo.append(Step("record", f"write down {record.name} as it was", record=old))

    def start(self, record: Record, colour: str) -> None:
        """The set complete and ready: first what gets requests, then what works behind it."""
        wanted, there = specs(record, colour, self.world.subnet), self.world.of(colour)
        for proxied in (True, False):
            part = tuple(s for s in wanted if (s.port is not None) is proxied)
            absent = tuple(s for s in part if s.name not in there or not there[s.name].runs)
            if absent:
                self.add(Step("up", f"start {names(s.name for s in absent)}", specs=absent))
            if part:
                kind = "haproxy sees" if proxied else "they run,"
                text = f"wait until {kind} {names(s.name for s in part)} ready"
                self.add(Step("ready", text, specs=part, changes=False))
        tame = tuple(s.name for s in wanted if s.name not in there or not there[s.name].armed)
        if tame:
            self.add(Step("arm", f"let the engine restart {names(tame)}", names=tame))

    def clear(self, colour: str, only: Sequence[str] | None = None) -> None:
        """Empty a colour, or take these containers out of it: requests and WebSockets first, then SIGTERM."""
        gone = tuple(sorted(self.world.of(colour) if only is None else only))
        if gone:
            whole = only is None
            what = f"the {colour} set" if whole else names(gone)
            text = f"wait until {what} carries no request and no WebSocket"
            self.add(Step("drain", text, colour=colour, names=() if whole else gone, changes=False))
            self.add(Step("stop", f"stop {names(gone)}", colour=colour, names=gone))
            self.add(Step("remove", f"remove {names(gone)}", colour=colour, names=gone))
            if not whole:
                self.enable(gone)

    def prune(self, record: Record, keep: int) -> None:
        state = self._state
        used = [place.release for place in (state.live, state.other) if place]
        gone = dropped({**self.world.records, record.name: record}, state.history, used, keep)
        if gone:
            self.add(Step("prune", f"forget {names(gone)}, with images and secret files", names=tuple(gone)))

    def warm(self, record: Record) -> str:
        """The set ready in the colour that does not serve. Until `point` all of it can be undone."""
        self.begin = len(self.steps)
        state, colour = self.state, target(self.world)
        beside = state.other
        there, wanted = self.world.of(colour), {s.name: s.digest for s in specs(record, colour, self.world.subnet)}
        foreign = [name for name, found in there.items() if wanted.get(name) != found.spec]
        if foreign:
            if self.world.routes.share or self.world.routes.users:
                self.route(replace(self.world.routes, share=0, users=()), "send no more clients to the old candidate")
            self.clear(colour, foreign)
            self.world = replace(self.world, found=tuple(f for f in self.world.found if f.name not in foreign))
        purpose = beside.purpose if beside and beside.release == record.name else CANDIDATE
        self.note(replace(state, other=Place(record.name, colour, purpose)))
        self.start(record, colour)
        alone = Routes(self.world.routes.live)
        back = [Step("route", "send nobody to the new set", routes=alone)] if self.world.routes != alone else []
        self.undo[:0] = [
            *back,
            *([Step("drain", "wait until it carries nothing", colour=colour, changes=False)] if back else []),
            Step("stop", f"stop the {colour} set", colour=colour, names=tuple(wanted)),
            Step("remove", f"remove the {colour} set", colour=colour, names=tuple(wanted)),
            noted(replace(state, other=None)),
        ]
        return colour

    def in_place(self, record: Record, colour: str) -> None:
        """The live set as its record says: what is missing started, what is too much drained and stopped."""
        self.begin = len(self.steps)
        there, wanted = self.world.of(colour), {s.name for s in specs(record, colour, self.world.subnet)}
        self.start(record, colour)
        new = tuple(sorted(wanted - set(there)))
        if new:
            self.undo[:0] = [
                Step("stop", f"stop {names(new)}", colour=colour, names=new),
                Step("remove", f"remove {names(new)}", colour=colour, names=new),
            ]
        self.point = len(self.steps)
        surplus = [name for name in there if name not in wanted]
        if surplus:
            self.clear(colour, surplus)


def noted(state: State) -> Step:
    live = f"{state.live.release} serves in {state.live.colour}" if state.live else "nothing serves"
    beside = f", {state.other.release} is {state.other.purpose} in {state.other.colour}" if state.other else ""
    return Step("note", f"write down that {live}{beside}", state=state)


def short(image: str) -> str:
    """An image as people know it."""
    name, _at, digest = image.rpartition("@")
    return f"{name}@{digest[:19]}" if name else digest[:19]
