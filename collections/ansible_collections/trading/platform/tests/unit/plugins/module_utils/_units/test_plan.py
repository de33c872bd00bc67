# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of systemd."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._units import plan as planner
from ansible_collections.trading.platform.plugins.module_utils._units.plan import Unit, Wish

UP = Unit("a.service", "loaded", "active", "running", "enabled")
DOWN = UP._replace(active="inactive", sub="dead", file_state="disabled")
MASKED = Unit("a.service", "masked", "inactive", "dead", "masked")
GONE = Unit("a.service")


def wish(state: str | None = None, enabled: bool | None = None, masked: bool | None = None) -> Wish:
    return Wish("a.service", state, enabled, masked)


@pytest.mark.parametrize(
    ("wanted", "unit", "verbs"),
    [
        (wish("started", True), UP, []),
        (wish("started", True), DOWN, ["enable", "start"]),
        (wish("started"), UP._replace(active="activating"), ["start"]),
        (wish("started"), UP._replace(active="failed"), ["start"]),
        (wish("stopped", False), UP, ["disable", "stop"]),
        (wish("stopped", False), DOWN, []),
        (wish("stopped"), UP._replace(active="failed"), []),
        (wish("restarted"), UP, ["restart"]),
        (wish("restarted"), DOWN, ["restart"]),
        (wish("reloaded"), UP, ["reload"]),
        (wish("reloaded"), DOWN, ["start"]),
        (wish(None, True), UP._replace(file_state="static"), []),
        (wish(None, True), UP._replace(file_state="indirect"), []),
        (wish(None, True), UP._replace(file_state="enabled-runtime"), ["enable"]),
        (wish(None, False), UP._replace(file_state="static"), []),
        (wish(None, False), UP._replace(file_state="enabled-runtime"), ["disable"]),
        (wish("stopped", None, True), UP, ["stop", "mask"]),
        (wish("stopped", None, True), MASKED, []),
        (wish(None, None, True), GONE, ["mask"]),
        (wish("started", None, False), MASKED, ["unmask", "start"]),
        (wish("stopped"), MASKED, []),
        # The alias was asked for, the real name is acted upon.
        (Wish("a.service", "started", None, None), DOWN._replace(name="real.service"), ["start"]),
    ],
)
def test_verbs(wanted: Wish, unit: Unit, verbs: list[str]) -> None:
    plan = planner.make([wanted], {"a.service": unit}, "auto", check_mode=False)
    assert plan.problems == []
    assert {verb: names for verb, names in plan.actions.items() if names} == {verb: [unit.name] for verb in verbs}
    assert plan.changed is bool(verbs)


@pytest.mark.parametrize(
    ("wanted", "unit", "problem"),
    [
        (wish("started"), GONE, "there is no unit a.service"),
        (wish("stopped"), GONE, "there is no unit a.service"),
        (wish("started"), MASKED, "a.service is masked"),
        (wish(None, True), MASKED, "a.service is masked"),
    ],
)
def test_problems(wanted: Wish, unit: Unit, problem: str) -> None:
    plan = planner.make([wanted], {"a.service": unit}, "auto", check_mode=False)
    assert plan.problems[0].startswith(problem)
    assert not plan.changed


def test_check_mode_predicts_a_unit_that_is_to_come() -> None:
    plan = planner.make([wish("started", True)], {"a.service": GONE}, "auto", check_mode=True)
    assert plan.changed
    assert (plan.problems, len(plan.notes)) == ([], 1)


@pytest.mark.parametrize(
    ("mode", "stale", "expected"),
    [("auto", True, True), ("auto", False, False), ("always", False, True), ("never", True, False)],
)
def test_daemon_reload(mode: str, stale: bool, expected: bool) -> None:
    plan = planner.make([wish()], {"a.service": UP._replace(needs_reload=stale)}, mode, check_mode=False)
    assert (plan.daemon_reload, plan.changed) == (expected, expected)


SHOW = """Id=ssh.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
NeedDaemonReload=no
Type=notify
RemainAfterExit=no
Result=success
NRestarts=2

Id=none.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
NeedDaemonReload=no
"""


def test_parse_show() -> None:
    units = planner.parse_show(SHOW, ["sshd.service", "none.service"])
    assert units["sshd.service"] == Unit("ssh.service", "loaded", "active", "running", "enabled", restarts=2)
    assert units["none.service"].missing


@pytest.mark.parametrize(("text", "asked"), [("", ["a"]), (SHOW, ["a"]), ("Failed", [])])
def test_parse_show_refuses(text: str, asked: list[str]) -> None:
    with pytest.raises(ValueError, match="systemctl show answered for"):
        planner.parse_show(text, asked)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ssh", "ssh.service"),
        ("a@b", "a@b.service"),
        ("x.timer", "x.timer"),
        ("node.js", "node.js.service"),
        ("-.mount", "-.mount"),
    ],
)
def test_full_name(name: str, expected: str) -> None:
    assert planner.full_name(name) == expected


def test_twice() -> None:
    nothing: dict[str, Any] = {"state": None, "enabled": None, "masked": None}
    rows = [{"name": name, **nothing} for name in ("a", "a.service")]
    with pytest.raises(ValueError, match=r"a\.service is listed twice"):
        planner.wishes(rows)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (UP, True),
        (UP._replace(restarts=1), False),
        (UP._replace(active="activating"), False),
        (UP._replace(active="failed"), False),
        (DOWN, False),
        (DOWN._replace(oneshot=True), True),
        (DOWN._replace(oneshot=True, result="exit-code"), False),
        (DOWN._replace(oneshot=True, remains=True), False),
    ],
)
def test_settled(now: Unit, expected: bool) -> None:
    assert planner.settled(UP, now) is expected


@pytest.mark.parametrize(("name", "expected"), [("goood.service", " (did you mean good.service?)"), ("zzz", "")])
def test_suggestion(name: str, expected: str) -> None:
    assert planner.suggestion(name, ["good.service", "ssh.service"]) == expected
