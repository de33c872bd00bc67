# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a task asked for to what came out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from . import plan as plans
from . import stats
from .engine import Docker
from .proxy import Haproxy
from .records import MAX_INSTANCES, Record, ReleaseError, find, known, names, read_record, whole
from .run import Runner
from .slots import COLOURS
from .steps import Plan
from .store import Files
from .world import World, settled, user_problems


@dataclass(frozen=True)
class Request:
    """What the task asked for."""

    action: str
    release: Mapping[str, Any] | None = None
    name: str | None = None
    share: int = 0
    users: Sequence[str] = ()
    instances: Mapping[str, int] = field(default_factory=dict)
    keep_other: bool = False
    back: bool = False
    keep: int = 3
    ready_timeout: float = 60.0
    drain_timeout: float = 30.0

    def record(self, records: Mapping[str, Record], now: str) -> Record:
        if self.release is None:
            return find(records, self.name or "")
        record = read_record(self.release)
        old = records.get(record.name)
        return replace(record, created=(old.created if old else "") or record.created or now)

    def problems(self) -> list[str]:
        """Whatever can be said without looking at the host."""
        found = user_problems(self.share, self.users)
        if self.action in ("pulled", "warmed", "live", "shared") and (self.release is None) == (self.name is None):
            found.append(f"action {self.action} needs release or name, one of both")
        if self.action == "scaled" and not self.instances:
            found.append("action scaled needs instances")
        found += [
            f"instances of {service} have to be 0 to {MAX_INSTANCES}, not {number!r}"
            for service, number in self.instances.items()
            if not whole(number, range(MAX_INSTANCES + 1))
        ]
        return found


def planned(world: World, request: Request, record: Record | None) -> Plan:
    if request.action == "withdrawn":
        return plans.withdrawn(world, find(world.records, request.name).name if request.name else None)
    if request.action == "scaled":
        return plans.scaled(world, request.instances)
    if record is None:
        raise ReleaseError(f"action {request.action} needs a release or a name")
    if request.action == "pulled":
        return plans.pulled(world, record)
    if request.action == "warmed":
        return plans.warmed(world, record)
    if request.action == "shared":
        return plans.shared(world, record, request.share, request.users)
    return plans.live(world, record, request.keep_other, request.keep, request.back)


class Host:
    """One app host, with everything at hand."""

    def __init__(self, engine: Docker, proxy: Haproxy, files: Files) -> None:
        self.engine, self.proxy, self.files = engine, proxy, files
        self.subnet = engine.subnet()

    def world(self, wanted: Record | None = None) -> World:
        records = self.files.records()
        services = [s for record in (*records.values(), *([wanted] if wanted else [])) for s in record.services]
        return World(
            subnet=self.subnet,
            state=self.files.state(),
            routes=self.files.routes(),
            runtime=self.proxy.routes(),
            found=tuple(self.engine.found()),
            seen=self.proxy.seen(),
            records=records,
            images=self.engine.images(service.image for service in services),
            tags=self.engine.tags(),
        )

    def perform(self, request: Request, check: bool) -> dict[str, Any]:
        if request.action == "info":
            return {"changed": False, "steps": [], "warnings": [], **self.facts()}
        refuse(request.problems())
        self.files.refuse_maintenance()
        if check:
            return self.act(request, check=True)
        with self.files.locked(
            f"{request.action} of {request.name or (request.release or {}).get('name', 'a release')}"
        ):
            return self.act(request, check=False)

    def act(self, request: Request, check: bool) -> dict[str, Any]:
        began = time.monotonic()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        record = self.record(request, now)
        world = self.world(record)
        warnings = []
        if record:
            refuse(plans.problems(world, record))
            missing = self.files.missing_secrets(record)
            # Those of a new release land right before it; what a host is asked for by name has them.
            if check and missing and request.release:
                warnings.append(f"secret files that are not there yet: {names(missing)}")
            else:
                refuse([f"secret file missing: {path}" for path in missing])
        plan = planned(world, request, record)
        before = facts(world)
        if check:
            steps = [step.text for step in plan.steps]
            done = {"changed": plan.changes, "steps": steps, "warnings": warnings}
            return {**done, **self.facts(), "diff": {"before": told(before), "after": "\n".join(steps) + "\n"}}
        runner = Runner(self.engine, self.proxy, self.files, request.ready_timeout, request.drain_timeout)
        try:
            outcome = runner.run(plan)
        except ReleaseError as error:
            error.details |= {"steps": runner.outcome.lines, "changed": runner.outcome.changed}
            with contextlib.suppress(ReleaseError):
                error.details |= self.facts()
            raise
        after = self.facts()
        after["measured"] |= outcome.measured | {"total_s": round(time.monotonic() - began, 2)}
        return {
            "changed": outcome.changed,
            "steps": outcome.lines,
            "warnings": outcome.warnings,
            **after,
            "diff": {"before": told(before), "after": told(after)},
        }

    def record(self, request: Request, now: str) -> Record | None:
        if request.action == "withdrawn":
            return None
        records = self.files.records()
        if request.action == "scaled":
            live = settled(self.world()).state.live
            return find(records, live.release).scaled(request.instances) if live else None
        return request.record(records, now)

    def facts(self) -> dict[str, Any]:
        return {**facts(self.world()), "counters": stats.counters(self.proxy.table())}


def refuse(problems: Sequence[str]) -> None:
    if problems:
        raise ReleaseError(f"refused, nothing was touched: {'; '.join(problems)}")


def facts(world: World) -> dict[str, Any]:
    now = settled(world)
    state, order = now.state, known(now.records, now.state.history)
    live = now.records.get(state.live.release) if state.live else None
    return {
        "live": state.live.plain() if state.live else None,
        "other": state.other.plain() if state.other else None,
        "previous": next(
            (n for n in state.history if n in now.records and not (state.live and n == state.live.release)), None
        ),
        "releases": order,
        "records": {name: now.records[name].plain() for name in order},
        "share": now.routes.share,
        "users": list(now.routes.users),
        "ready": {colour: now.ready(colour) for colour in COLOURS},
        "instances": {service.name: service.instances for service in live.services} if live else {},
        "measured": {"ready_s": None, "drain_s": None, "total_s": None},
    }


def told(facts: Mapping[str, Any]) -> str:
    """For the diff: who serves."""
    live, beside = facts["live"], facts["other"]
    lines = [f"live: {live['release']} in {live['colour']}" if live else "live: nothing"]
    lines.append(
        f"other: {beside['release']} in {beside['colour']}, {beside['purpose']}" if beside else "other: nothing"
    )
    lines.append(f"share: {facts['share']} %, users: {names(facts['users'])}")
    lines += [f"{service}: {n}" for service, n in facts["instances"].items()]
    return "\n".join(lines) + "\n"
