# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speaks with systemctl. Raises UnitsError; nothing exits here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.trading.platform.plugins.module_utils._units import plan as planner
from ansible_collections.trading.platform.plugins.module_utils._units.plan import Plan, Unit, Wish

Runner = Callable[[Sequence[str]], tuple[int, str, str]]
JOURNAL_LINES = 15
STARTING = ("start", "restart", "reload")
_RESULT_NAMES = {
    "unmask": "unmasked",
    "disable": "disabled",
    "enable": "enabled",
    "stop": "stopped",
    "mask": "masked",
    "start": "started",
    "restart": "restarted",
    "reload": "reloaded",
}


class UnitsError(Exception):
    """What failed, with the unit's last words. `details` goes into the task's result."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class Units:
    """A number of units of one host."""

    def __init__(self, run: Runner, warn: Callable[[str], None], *, check_mode: bool) -> None:
        self._run = run
        self._warn = warn
        self._check_mode = check_mode

    def ensure(self, wanted: Sequence[Wish], daemon_reload: str, wait: int) -> dict[str, Any]:
        """Make it so, or say what would be done."""
        units = self._look([wish.name for wish in wanted])
        reloaded = False
        if not self._check_mode and daemon_reload == "auto" and any(unit.missing for unit in units.values()):
            # systemd remembers that a unit was not there; its file may have arrived since.
            self._systemctl("daemon-reload", [])
            reloaded = True
            units = self._look([wish.name for wish in wanted])
        plan = planner.make(wanted, units, daemon_reload, check_mode=self._check_mode)
        if plan.problems:
            raise UnitsError(
                f"{'; '.join(self._with_hints(plan, wanted))}. No unit was touched.", problems=plan.problems
            )
        for note in plan.notes:
            self._warn(note)
        if not self._check_mode and plan.changed:
            self._execute(wanted, units, plan, wait, reloaded)
        before, after = planner.describe(units, plan.actions)
        return {
            "changed": plan.changed,
            "daemon_reloaded": plan.daemon_reload,
            **{_RESULT_NAMES[verb]: sorted(names) for verb, names in plan.actions.items()},
            "diff": {"before": before, "after": after},
        }

    def _with_hints(self, plan: Plan, wanted: Sequence[Wish]) -> list[str]:
        code, out, _err = self._run(["systemctl", "list-unit-files", "--no-legend", "--no-pager", "--plain"])
        known = [line.split()[0] for line in out.splitlines() if line.split()] if code == 0 else []
        names = {f"there is no unit {wish.name} on this host": wish.name for wish in wanted}
        return [text + (planner.suggestion(names[text], known) if text in names else "") for text in plan.problems]

    def _look(self, names: Sequence[str]) -> dict[str, Unit]:
        if not names:
            return {}
        asked = [f"--property={','.join(planner.PROPERTIES)}", "--", *names]
        code, out, err = self._run(["systemctl", "show", *asked])
        if code != 0 and self._check_mode:
            self._warn(f"systemd does not answer on this host yet ({err.strip()}); every unit is taken to be missing")
            return {name: Unit(name) for name in names}
        if code != 0:
            raise UnitsError(f"systemctl show failed (exit code {code}): {err.strip()}. No unit was touched.")
        try:
            units = planner.parse_show(out, names)
        except (KeyError, ValueError) as error:
            raise UnitsError(f"The answer of systemctl show cannot be read: {error}. No unit was touched.") from error
        return self._ask_init_scripts(units)

    def _ask_init_scripts(self, units: dict[str, Unit]) -> dict[str, Unit]:
        """A unit made from an init script is always `generated`; only is-enabled looks at the script's links."""
        generated = [name for name, unit in units.items() if unit.file_state == "generated"]
        if not generated:
            return units
        answers = self._run(["systemctl", "is-enabled", "--", *generated])[1].split()
        if len(answers) != len(generated):
            raise UnitsError(f"systemctl is-enabled gave {len(answers)} answers for {', '.join(generated)}.")
        return units | {
            name: units[name]._replace(file_state=answer) for name, answer in zip(generated, answers, strict=True)
        }

    def _execute(self, wanted: Sequence[Wish], units: dict[str, Unit], plan: Plan, wait: int, reloaded: bool) -> None:
        if plan.daemon_reload and not reloaded:
            self._systemctl("daemon-reload", [])
        if plan.actions["unmask"]:
            # Only an unmasked unit says whether it is enabled.
            self._systemctl("unmask", plan.actions["unmask"])
            units.update(self._look([wish.name for wish in wanted]))
            again = planner.make([wish._replace(masked=None) for wish in wanted], units, "never", check_mode=False)
            for verb in ("enable", "disable", "start", "stop"):
                plan.actions[verb][:] = again.actions[verb]
        starting = {name for verb in STARTING for name in plan.actions[verb]}
        tired = sorted({unit.name for unit in units.values() if unit.active == "failed"} & starting)
        if tired:
            # A unit that failed too often is not started again until its count is forgotten.
            self._systemctl("reset-failed", tired)
        for verb in planner.VERBS[1:]:
            if plan.actions[verb]:
                self._systemctl(verb, plan.actions[verb])
        if starting and wait:
            self._wait(sorted(starting), wait)

    def _systemctl(self, verb: str, names: Sequence[str]) -> None:
        code, _out, err = self._run(["systemctl", verb, *(["--", *names] if names else [])])
        if code == 0:
            return
        bad = [name for name, unit in self._look(names).items() if planner.given_up(unit)] if verb in STARTING else []
        raise UnitsError(
            f"systemctl {verb} {' '.join(names)} failed (exit code {code}): {err.strip()}{self._last_words(bad)}",
            units=bad or list(names),
        )

    def _wait(self, names: Sequence[str], wait: int) -> None:
        deadline = time.monotonic() + wait
        before = self._look(names)
        while True:
            # A program that dies at once still counts as started for a moment.
            time.sleep(0.5)
            now = self._look(names)
            bad = [name for name in names if not planner.settled(before[name], now[name])]
            if not bad:
                return
            if time.monotonic() > deadline or any(planner.given_up(now[name]) for name in bad):
                states = ", ".join(f"{name} is {now[name].active} ({now[name].sub})" for name in bad)
                raise UnitsError(
                    f"Started, but not up within {wait} s: {states}.{self._last_words(bad)}", units=bad, changed=True
                )
            before = now

    def _last_words(self, names: Sequence[str]) -> str:
        words = ""
        for name in names:
            command = ["journalctl", "--no-pager", "--quiet", f"--lines={JOURNAL_LINES}", "--output=short-iso"]
            _code, out, err = self._run([*command, f"--unit={name}"])
            words += f"\nLast journal lines of {name}:\n{out.strip() or err.strip() or '(none)'}"
        return words
