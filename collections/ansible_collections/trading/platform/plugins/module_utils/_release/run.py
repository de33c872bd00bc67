# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a plan's steps one by one. What touches the host comes in from outside, so tests can stop it anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from . import stats, verdicts
from .records import Record, ReleaseError, names
from .slots import Slot, Spec, slot_of
from .stats import Seen
from .steps import Plan, Step
from .world import Found, Routes, State

POLL = 0.2
# What has neither a port nor a file to say that it is well falls over in its first moments, if it does.
STEADY = 2.0
STALE = 10.0
# A request that was routed a moment before the switch is counted a moment later.
QUIET_POLLS = 3
LOG_LINES = 20
T = TypeVar("T")


def carried(value: T | None, step: Step) -> T:
    """What a step of this kind always has. Left out in silence, a switch would not happen and count as done."""
    if value is None:
        raise ReleaseError(f"step {step.kind} ({step.text}) came without what it needs: a defect of the module")
    return value


class Engine(Protocol):
    def found(self) -> list[Found]: ...
    def pull(self, image: str) -> None: ...
    def tag(self, image: str, tag: str) -> None: ...
    def start(self, specs: Sequence[Spec]) -> None: ...
    def arm(self, name: str) -> None: ...
    def stop(self, names: Sequence[str]) -> None: ...
    def remove(self, name: str) -> None: ...
    def logs(self, name: str, lines: int) -> list[str]: ...
    def exists(self, name: str, path: str) -> bool: ...
    def forget(self, release: str) -> None: ...


class Proxy(Protocol):
    def table(self) -> list[dict[str, str]]: ...
    def seen(self) -> dict[Slot, Seen]: ...
    def apply(self, routes: Routes) -> None: ...
    def set_state(self, slot: Slot, state: str) -> None: ...
    def ask(self, spec: Spec) -> str: ...


class Store(Protocol):
    def write_state(self, state: State) -> None: ...
    def write_routes(self, routes: Routes) -> None: ...
    def write_record(self, record: Record) -> None: ...
    def forget(self, release: str) -> None: ...


@dataclass
class Outcome:
    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    measured: dict[str, float | None] = field(default_factory=lambda: {"ready_s": None, "drain_s": None})
    changed: bool = False


@dataclass
class Runner:
    engine: Engine
    proxy: Proxy
    store: Store
    ready_timeout: float = 60.0
    drain_timeout: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    outcome: Outcome = field(default_factory=Outcome)
    started: set[str] = field(default_factory=set)

    def run(self, plan: Plan) -> Outcome:
        for index, step in enumerate(plan.steps):
            try:
                self.take(step)
            except ReleaseError as error:
                raise self.undone(error, plan, index) from error
        return self.outcome

    def take(self, step: Step) -> None:
        try:
            getattr(self, f"do_{step.kind}")(step)
        except OSError as error:
            # A full disk, an engine that does not answer in time: as good a reason to put back as any.
            raise ReleaseError(f"could not {step.text}: {error}") from error
        self.outcome.lines.append(step.text)
        self.outcome.changed |= step.changes

    def undone(self, error: ReleaseError, plan: Plan, index: int) -> ReleaseError:
        """Before the switch everything goes back; after it the way is forward."""
        if index < plan.begin or not plan.point:
            tail = "The set that serves was not touched"
        elif index >= plan.point:
            serves = "" if plan.steps[index].kind == "ready" else ": what serves is ready"
            tail = f"Nothing was put back{serves}. Run the same again to finish"
        else:
            tail = "The set that serves was not touched"
            try:
                for step in plan.undo:
                    self.take(step)
            except ReleaseError as second:
                tail = f"{tail}. Putting back failed as well, run the same again: {second}"
        details = {**error.details, "at": plan.steps[index].text}
        return ReleaseError(f"{error}\n{tail}".rstrip(), **details)

    def broken(self, name: str, reason: str) -> ReleaseError:
        logs = self.engine.logs(name, LOG_LINES)
        return ReleaseError(verdicts.failure(name, reason, logs), container=name, logs=logs)

    def do_pull(self, step: Step) -> None:
        for image in sorted({image for _tag, image in step.images}):
            self.engine.pull(image)
        for tag, image in step.images:
            self.engine.tag(image, tag)

    def do_record(self, step: Step) -> None:
        self.store.write_record(carried(step.record, step))

    def do_note(self, step: Step) -> None:
        self.store.write_state(carried(step.state, step))

    def do_route(self, step: Step) -> None:
        """The file first: killed in between, haproxy still sends to the old set, which still stands; a haproxy that
        starts anew reads the file, whose set is ready."""
        routes = carried(step.routes, step)
        self.store.write_routes(routes)
        self.proxy.apply(routes)

    def do_up(self, step: Step) -> None:
        """Not before haproxy has seen the slots down: else it would be the container before that it calls ready."""
        slots = {spec.slot: spec for spec in step.specs if spec.port is not None}
        self.enable(slots)
        until = self.clock() + STALE
        while True:
            seen = self.proxy.seen()
            stale = [spec.name for slot, spec in slots.items() if slot in seen and seen[slot].up]
            if not stale:
                break
            if self.clock() > until:
                raise ReleaseError(
                    f"haproxy still sees {names(stale)} up, though it does not run: something else answers"
                )
            self.sleep(POLL)
        self.started |= {spec.name for spec in step.specs}
        self.engine.start(step.specs)

    def do_ready(self, step: Step) -> None:
        self.enable(spec.slot for spec in step.specs)
        began = self.clock()
        steady: dict[str, float] = {}
        while True:
            waiting = self.not_ready(step.specs, steady)
            if not waiting:
                break
            if self.clock() - began > self.ready_timeout:
                spec = waiting[0]
                answer = self.proxy.ask(spec) if spec.port is not None else ""
                reason = verdicts.never_ready(spec, self.ready_timeout, self.proxy.seen().get(spec.slot), answer)
                raise self.broken(spec.name, reason)
            self.sleep(POLL)
        if self.started:
            self.measure("ready_s", began)

    def not_ready(self, specs: Sequence[Spec], steady: dict[str, float]) -> list[Spec]:
        there = {found.name: found for found in self.engine.found()}
        seen = self.proxy.seen()
        waiting = []
        for spec in specs:
            found = there.get(spec.name)
            if found is None:
                raise ReleaseError(f"container {spec.name} has gone, somebody else removed it; run the same again")
            reason = verdicts.ended(found)
            if reason:
                raise self.broken(spec.name, reason)
            if spec.port is not None:
                good = found.runs and seen.get(spec.slot, Seen()).up
            else:
                good = found.runs and self.steady(spec, found, steady)
            if not good:
                waiting.append(spec)
        return waiting

    def steady(self, spec: Spec, found: Found, since: dict[str, float]) -> bool:
        if spec.ready:
            return self.engine.exists(spec.name, spec.ready)
        # One that the engine restarts has passed this before.
        began = since.setdefault(spec.name, self.clock())
        return (found.armed and spec.name not in self.started) or self.clock() - began >= STEADY

    def do_arm(self, step: Step) -> None:
        for name in step.names:
            self.engine.arm(name)

    def do_drain(self, step: Step) -> None:
        slots = [slot_of(name) for name in step.names]
        seen = self.proxy.seen()
        slots = [slot for slot in slots if slot in seen]
        if step.names and not slots:
            return
        for slot in slots:
            self.proxy.set_state(slot, "drain")
        began, quiet = self.clock(), 0
        while quiet < QUIET_POLLS:
            left = stats.sessions(self.proxy.table(), step.colour, slots)
            quiet = 0 if left else quiet + 1
            if left and self.clock() - began >= self.drain_timeout:
                self.outcome.lines.append(f"{left} requests or WebSockets outlasted {self.drain_timeout:g} s")
                break
            self.sleep(POLL / 2)
        self.measure("drain_s", began)

    def do_stop(self, step: Step) -> None:
        running = {found.name for found in self.engine.found() if found.runs or found.status == "restarting"}
        self.engine.stop([name for name in step.names if name in running])

    def do_remove(self, step: Step) -> None:
        there = {found.name for found in self.engine.found()}
        for name in step.names:
            if name in there:
                self.engine.remove(name)

    def do_enable(self, step: Step) -> None:
        self.enable(slot_of(name) for name in step.names)

    def enable(self, slots: Iterable[Slot]) -> None:
        seen = self.proxy.seen()
        for slot in slots:
            if slot in seen and seen[slot].taken_out:
                self.proxy.set_state(slot, "ready")

    def do_prune(self, step: Step) -> None:
        """Tidying up never fails a good release."""
        for release in step.names:
            try:
                self.engine.forget(release)
                self.store.forget(release)
            except (ReleaseError, OSError) as error:
                self.outcome.warnings.append(f"{release} could not be forgotten: {error}")

    def measure(self, key: str, began: float) -> None:
        self.outcome.measured[key] = round((self.outcome.measured[key] or 0.0) + self.clock() - began, 2)
