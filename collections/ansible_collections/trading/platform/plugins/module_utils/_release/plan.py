# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is there and what is wanted to ordered steps. Check mode, diff and the run all use the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .records import Record, ReleaseError, find, names
from .slots import COLOURS, specs
from .steps import Draft, Plan, Step
from .world import CANARY, CANDIDATE, STANDBY, Place, Routes, State, World


def fits(world: World, record: Record, colour: str) -> bool:
    """Whether this release can stay where it is: no container of it was made from something else."""
    there = world.of(colour)
    return all(there[s.name].spec == s.digest for s in specs(record, colour, world.subnet) if s.name in there)


def is_live(world: World, record: Record) -> bool:
    live = world.state.live
    return live is not None and live.release == record.name and fits(world, record, live.colour)


def no_canary(state: State, record: Record) -> None:
    beside = state.other
    if beside and beside.purpose == CANARY and beside.release != record.name:
        raise ReleaseError(
            f"refused, nothing was touched: {beside.release} is a canary on this host. Promote or withdraw it first "
            "with playbooks/canary.yml, or have it withdrawn by -e withdraw_canary=true"
        )


def pulled(world: World, record: Record) -> Plan:
    draft = Draft(world)
    draft.steps.clear()
    draft.fetch(record)
    draft.undo.clear()
    return draft.plan()


def warmed(world: World, record: Record) -> Plan:
    draft = Draft(world)
    no_canary(draft.state, record)
    if not is_live(draft.world, record):
        draft.fetch(record)
        draft.warm(record)
        draft.point = len(draft.steps)
    return draft.plan()


def live(world: World, record: Record, keep_other: bool, keep: int, back: bool = False) -> Plan:
    draft = Draft(world)
    no_canary(draft.state, record)
    state = draft.state
    draft.fetch(record)
    if state.live and is_live(draft.world, record):
        draft.in_place(record, state.live.colour)
        old = state.other
    else:
        colour = draft.warm(record)
        history = (record.name, *(name for name in state.history if name != record.name))
        if back and record.name in state.history:
            history = state.history[state.history.index(record.name) :]
            # Before the switch: a run killed right behind it must not leave what it went away from as the way back.
            draft.note(replace(state, other=Place(record.name, colour, CANDIDATE), history=history))
        draft.point = len(draft.steps)
        draft.route(Routes(colour), f"switch: {record.name} serves, in {colour}")
        old = replace(state.live, purpose=STANDBY) if state.live else None
        state = State(Place(record.name, colour), old, history)
        draft.note(state)
    if state.live and old and not keep_other:
        draft.route(Routes(state.live.colour), "send nobody to the other set")
        draft.clear(old.colour)
        draft.note(replace(state, other=None))
        # Half a minute may have passed, and a busy host's check may have failed once in it.
        now = specs(record, state.live.colour, world.subnet)
        draft.add(Step("ready", f"see that {record.name} is ready", specs=now, changes=False))
    draft.prune(record, keep)
    return draft.plan()


def shared(world: World, record: Record, share: int, users: Sequence[str]) -> Plan:
    draft = Draft(world)
    state = draft.state
    beside = state.other
    if state.live is None or beside is None or beside.release != record.name:
        there = f"{beside.release} ({beside.purpose})" if beside else "nothing"
        raise ReleaseError(
            f"refused, nothing was touched: {record.name} is not warm on this host, beside the live set is {there}; "
            "action warmed comes first"
        )
    wanted, there_now = specs(record, beside.colour, world.subnet), draft.world.of(beside.colour)
    lost = [s.name for s in wanted if s.name not in there_now or there_now[s.name].spec != s.digest]
    if lost:
        raise ReleaseError(
            f"refused, nothing was touched: {names(lost)} of {record.name} is missing or another one; "
            "action warmed comes first"
        )
    draft.add(Step("ready", f"see that {record.name} is ready", specs=wanted, changes=False))
    draft.note(replace(state, other=replace(beside, purpose=CANARY)))
    listed = f" and {len(users)} listed users" if users else ""
    draft.route(
        Routes(draft.world.routes.live, share, tuple(sorted(set(users)))),
        f"{share} % of the clients{listed} to {record.name}",
    )
    draft.point = 0
    return draft.plan()


def withdrawn(world: World, name: str | None) -> Plan:
    draft = Draft(world)
    state = draft.state
    if name and state.live and state.live.release == name and (state.other is None or state.other.release != name):
        raise ReleaseError(f"refused, nothing was touched: {name} is live, there is nothing to withdraw it for")
    if state.other is None or (name and state.other.release != name):
        return draft.plan()
    draft.route(Routes(draft.world.routes.live), f"send nobody to {state.other.release}")
    draft.clear(state.other.colour)
    draft.note(replace(state, other=None))
    return draft.plan()


def scaled(world: World, instances: Mapping[str, int]) -> Plan:
    draft = Draft(world)
    if draft.state.live is None:
        raise ReleaseError(
            "refused, nothing was touched: nothing is live on this host; playbooks/deploy.yml comes first"
        )
    now = find(world.records, draft.state.live.release)
    record = now.scaled(instances)
    silenced = sorted(set(record.silenced()) & set(instances))
    if silenced:
        raise ReleaseError(
            f"refused, nothing was touched: {names(silenced)} takes requests, so it keeps one instance at least: "
            "without any the site is down. playbooks/maintenance.yml shows a page instead"
        )
    if not fits(draft.world, record, draft.state.live.colour):
        raise ReleaseError(
            f"refused, nothing was touched: {record.name} is written down otherwise than its containers were made; "
            "playbooks/deploy.yml comes first"
        )
    draft.fetch(record)
    draft.in_place(record, draft.state.live.colour)
    return draft.plan()


def problems(world: World, record: Record) -> list[str]:
    """Why this release cannot be reached through haproxy as it is configured."""
    found = []
    for service_spec in (s for colour in COLOURS for s in specs(record, colour, world.subnet)):
        if service_spec.port is None:
            continue
        slot, seen = "/".join(service_spec.slot), world.seen.get(service_spec.slot)
        wanted = f"{service_spec.address}:{service_spec.port}"
        if seen is None:
            found.append(f"haproxy has no slot {slot}")
        elif f"{seen.address}:{seen.port}" != wanted:
            found.append(f"haproxy has {slot} at {seen.address}:{seen.port}, the release needs {wanted}")
    return found
