# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be asked of systemd, worked out from what is wanted and what it says of its units."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

PROPERTIES = (
    "Id",
    "Names",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "Type",
    "RemainAfterExit",
    "Result",
    "NRestarts",
)
_SUFFIX = re.compile(r".+\.(service|socket|target|timer|mount|automount|swap|path|slice|scope|device)")
# What cannot be enabled because something else pulls it in counts as enabled, as `systemctl is-enabled` has it.
_ENABLED = frozenset({"enabled", "static", "indirect", "alias", "transient"})
_RUNNING = frozenset({"active", "reloading"})
_STOPPED = frozenset({"inactive", "failed"})
# The order systemd wants them in.
VERBS = ("unmask", "disable", "enable", "stop", "mask", "start", "restart", "reload")


class Wish(NamedTuple):
    """One entry of the task; None leaves that side alone."""

    name: str
    state: str | None
    enabled: bool | None
    masked: bool | None


class Unit(NamedTuple):
    """What systemd says of a unit. `name` is the real one where the task used an alias."""

    name: str
    load: str = "not-found"
    active: str = "inactive"
    sub: str = ""
    file_state: str = ""
    needs_reload: bool = False
    oneshot: bool = False
    remains: bool = False
    result: str = "success"
    restarts: int = 0

    @property
    def masked(self) -> bool:
        """Whether the unit cannot be started at all."""
        return self.load == "masked" or self.file_state.startswith("masked")

    @property
    def missing(self) -> bool:
        """Whether there is no such unit. A masked one is there."""
        return self.load == "not-found" and not self.masked


class Plan(NamedTuple):
    """Verbs with their units, what is wrong, and what can only be said of a real run."""

    actions: dict[str, list[str]]
    daemon_reload: bool
    problems: list[str]
    notes: list[str]

    @property
    def changed(self) -> bool:
        """Whether anything is asked of systemd."""
        return self.daemon_reload or any(self.actions.values())


def full_name(name: str) -> str:
    """systemctl takes a name without a suffix for a service; so does this."""
    return name if _SUFFIX.fullmatch(name) else f"{name}.service"


def wishes(rows: Sequence[Mapping[str, Any]]) -> list[Wish]:
    """From module parameters to types. Raises ValueError on a unit that is listed twice."""
    result = [Wish(full_name(row["name"]), row["state"], row["enabled"], row["masked"]) for row in rows]
    names = [wish.name for wish in result]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"units: {', '.join(twice)} is listed twice. Put what you want of a unit into one entry.")
    return result


def parse_show(text: str, asked: Sequence[str]) -> dict[str, Unit]:
    """The answer of `systemctl show a b c`: a paragraph per unit asked for, in order. Raises ValueError."""
    blocks = [block for block in text.strip().split("\n\n") if block.strip()]
    if len(blocks) != len(asked):
        raise ValueError(f"systemctl show answered for {len(blocks)} units instead of {len(asked)}")
    units: dict[str, Unit] = {}
    for name, block in zip(asked, blocks, strict=True):
        raw = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        units[name] = Unit(
            name=raw.get("Id") or name,
            load=raw["LoadState"],
            active=raw["ActiveState"],
            sub=raw.get("SubState", ""),
            file_state=raw.get("UnitFileState", ""),
            needs_reload=raw.get("NeedDaemonReload") == "yes",
            oneshot=raw.get("Type") == "oneshot",
            remains=raw.get("RemainAfterExit") == "yes",
            result=raw.get("Result", "success"),
            restarts=int(raw.get("NRestarts", "0") or 0),
        )
    return units


def make(wanted: Sequence[Wish], units: Mapping[str, Unit], daemon_reload: str, *, check_mode: bool) -> Plan:
    """The plan for check mode and the real run alike."""
    stale = any(unit.needs_reload for unit in units.values())
    plan = Plan({verb: [] for verb in VERBS}, daemon_reload == "always" or (daemon_reload == "auto" and stale), [], [])
    for wish in wanted:
        unit = units[wish.name]
        if unit.missing and not wish.masked:
            if not check_mode:
                plan.problems.append(f"there is no unit {wish.name} on this host")
                continue
            plan.notes.append(f"there is no unit {wish.name} on this host yet; a real run would need it")
        if unit.masked and wish.masked is None and (wish.enabled or wish.state not in (None, "stopped")):
            plan.problems.append(f"{wish.name} is masked; say masked: false to have it enabled or started")
            continue
        for verb in _verbs(wish, unit):
            if unit.name not in plan.actions[verb]:
                plan.actions[verb].append(unit.name)
    return plan


def _verbs(wish: Wish, unit: Unit) -> list[str]:
    verbs: list[str] = []
    if wish.masked is not None and wish.masked != unit.masked:
        verbs.append("mask" if wish.masked else "unmask")
    enabled = unit.file_state in _ENABLED
    if wish.enabled and not enabled:
        verbs.append("enable")
    if wish.enabled is False and unit.file_state in ("enabled", "enabled-runtime"):
        verbs.append("disable")
    if wish.state == "started" and unit.active not in _RUNNING:
        verbs.append("start")
    if wish.state == "stopped" and unit.active not in _STOPPED:
        verbs.append("stop")
    if wish.state == "restarted":
        verbs.append("restart")
    if wish.state == "reloaded":
        verbs.append("reload" if unit.active in _RUNNING else "start")
    return verbs


def settled(before: Unit, now: Unit) -> bool:
    """Whether a unit that was started is up for good, as far as two looks can tell."""
    if now.oneshot and not now.remains:
        return now.active in {*_RUNNING, "inactive"} and now.result == "success"
    return now.active in _RUNNING and now.restarts == before.restarts


def given_up(unit: Unit) -> bool:
    """Whether waiting longer is pointless."""
    return unit.active == "failed" or (unit.active == "inactive" and unit.result != "success")


def suggestion(name: str, known: Iterable[str]) -> str:
    """The closest name that exists, as the end of a message."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f" (did you mean {close[0]}?)" if close else ""


def describe(units: Mapping[str, Unit], actions: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Before and after, a line per unit that changes, for diff mode."""
    before: list[str] = []
    after: list[str] = []
    for unit in units.values():
        verbs = [verb for verb in VERBS if unit.name in actions.get(verb, ())]
        if verbs:
            before.append(f"{unit.name}: {unit.active}, {unit.file_state or 'absent'}\n")
            after.append(f"{unit.name}: {', '.join(verbs)}\n")
    return "".join(before), "".join(after)
