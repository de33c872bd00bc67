# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for services: pure bookkeeping over attempts."""

from __future__ import annotations

from dataclasses import dataclass

REQUIRED = {"tcp": ("port",), "http": ("url",), "unit": ("unit",), "command": ("argv",)}


@dataclass
class State:
    """One check's history. Healthy after `successes` good answers in a row."""

    name: str
    successes: int = 1
    streak: int = 0
    attempts: int = 0
    error: str = "it was not tried"

    @property
    def healthy(self) -> bool:
        return self.streak >= self.successes

    def record(self, error: str | None) -> None:
        """Enter one attempt; None is a good one."""
        self.attempts += 1
        self.streak = 0 if error else self.streak + 1
        if error:
            self.error = " ".join(error.split())


def invalid(checks: list[dict[str, object]]) -> list[str]:
    """What is missing in the checks, by name."""
    return [
        f"the check {check['name']} (kind {check['kind']}) needs `{key}`"
        for check in checks
        for key in REQUIRED[str(check["kind"])]
        if not check.get(key)
    ]


def message(states: list[State], timeout: int) -> str:
    """Names what never got healthy, with its last error."""
    sick = [state for state in states if not state.healthy]
    lines = [f"{len(sick)} of {len(states)} checks did not get healthy within {timeout} s:"]
    for state in sick:
        tries = "1 attempt" if state.attempts == 1 else f"{state.attempts} attempts"
        flaky = f"; it answered, but not {state.successes} times in a row" if state.streak else ""
        lines.append(f"  {state.name}: {state.error} ({tries}{flaky})")
    lines.append("Look at the service's log on this host (`journalctl -u UNIT -n 50`), mend it, and run again.")
    return "\n".join(lines)
