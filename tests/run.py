# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs what bin/test asks for and ends in one line: N passed, N failed[, N skipped].

A step is one command. Where it ends in a summary of its own (pytest, tests/sanity.py), its tests count; any other step
counts as one.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLLECTION = ROOT / "collections/ansible_collections/trading/platform"
PYTHON_SOURCES = [
    str(COLLECTION.relative_to(ROOT)),
    "tests",
    "molecule",
    "bench",
    "roles/grafana/dashboards",
    "roles/kibana/saved",
]
# Too slow for CI: bin/test --long runs them too.
LONG_SCENARIOS = {
    "alarms",
    "debian13",
    "firewall_deadman",
    "dr_site",
    "lock",
    "newcomer",
    "operations",
    "refusals",
    "release_killed",
}
# Begun first: what is begun last then ends soon.
LONGEST = ("release", "backup_restore")
# Stories that make and converge hosts of their own.
OWN_FLEET = {"debian13", "newcomer"}
SUMMARY = re.compile(r"^=*\s*(\d+ (?:passed|failed|skipped|errors?)\b.*)$", re.MULTILINE)
# Molecule frames and colours what it runs.
COLOUR = r"\x1b\[[0-9;]*m"
FRAME = re.compile(rf"^\s*(?:{COLOUR})*│(?:{COLOUR})* ?|{COLOUR}", re.MULTILINE)
# The lines that name what failed, and those that say why.
NAMED, WHY = re.compile(r"^(?:FAILED|ERROR) \S+::"), re.compile(r"^(?:E  |fatal: |failed: |\[ERROR\])")
TOLD_AT_MOST = 16
# CI ends a run that takes 90 minutes, and nothing of it counts. What would begin after so many is told and skipped.
LATEST = float(os.environ.get("TEST_LATEST_MINUTES", "inf"))
BEGAN = time.monotonic()


@dataclass(frozen=True)
class Step:
    name: str
    command: Sequence[str]
    cwd: Path = ROOT
    env: dict[str, str] = field(default_factory=dict)
    # It ends in a summary of many tests.
    many: bool = False


@dataclass(frozen=True)
class Outcome:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    # A block of lines for each step that failed.
    told: tuple[str, ...] = ()

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def shell_scripts() -> list[str]:
    """By their first line, so that a new one is not forgotten."""
    places = [*ROOT.glob("bin/*"), *ROOT.glob("bench/*"), *ROOT.glob(".ci/*"), *ROOT.glob("roles/*/files/*")]
    texts = [(path, path.read_text(errors="replace")) for path in sorted(places) if path.is_file()]
    return [str(path.relative_to(ROOT)) for path, text in texts if re.match(r"#!.*\b(ba)?sh\b", text)]


def fast_steps() -> list[Step]:
    """Everything that needs no container, the slowest first so that two cores end together."""
    # ansible-lint's syntax check loads an inventory, and ansible.cfg makes one that is missing an error.
    lint = {"ANSIBLE_INVENTORY": "inventories/staging"}
    # mypy takes one script without a suffix at a time.
    return [
        Step("sanity", [sys.executable, "tests/sanity.py"], many=True),
        Step("ansible-lint", ["ansible-lint", "--offline", "--nocolor", "-q"], env=lint),
        Step("bad input", ["pytest", "tests/preflight"], many=True),
        Step("refusals", ["pytest", "tests/setup", "tests/secrets"], many=True),
        Step("types", ["bash", "-c", 'mypy "$@" bin/docs && mypy bin/secrets', "types", *PYTHON_SOURCES]),
        Step("rules", [sys.executable, "tests/rules.py"], many=True),
        Step("unit", ["pytest", str(COLLECTION / "tests/unit"), "tests/unit"], many=True),
        Step("yamllint", ["yamllint", "--strict", "."]),
        Step("docs", ["bin/docs", "--check"]),
        Step("changelog", ["antsibull-changelog", "lint"], cwd=COLLECTION),
        Step("ruff", ["ruff", "check", "."]),
        Step("format", ["ruff", "format", "--check", "."]),
        Step("shell", ["shellcheck", "--severity=warning", *shell_scripts()]),
    ]


def scenarios(*, long: bool) -> list[str]:
    """Default first: it makes the fleet that the stories run on, and each story leaves it healthy."""
    first = ["default", *LONGEST]
    found = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
    stories = [name for name in found if name not in first and (long or name not in LONG_SCENARIOS)]
    return [*first, *turned(stories, commit() if math.isfinite(LATEST) else "")]


def commit() -> str:
    """Empty where this is no checkout."""
    asked = ["git", "rev-parse", "--quiet", "--verify", "HEAD"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def turned(stories: list[str], by: str) -> list[str]:
    """Where time may run out, each commit begins elsewhere: else it were always the same that no run proves."""
    first = int(by or "0", 16) % len(stories)
    return stories[first:] + stories[:first]


def molecule(action: str, scenario: str = "default") -> Step:
    keep = ["--destroy=never"] if action == "test" and scenario not in OWN_FLEET else []
    command = ["molecule", action, "-s", scenario, *keep]
    # Molecule folds what it prints; a reason must stay on its line.
    wide = {"PYTEST_ADDOPTS": "--durations=5", "COLUMNS": "200"}
    return Step(f"molecule {action} {scenario}", command, env=wide, many=action != "destroy")


def fleet_stands() -> bool:
    listed = ["docker", "ps", "--quiet", "--filter", "label=trading.platform.fleet=test"]
    return bool(subprocess.run(listed, capture_output=True, text=True, check=False).stdout)


def counted(output: str, code: int, *, many: bool) -> Outcome:
    """What a step says of its tests. Exit code and summary must agree: where they do not, it failed."""
    summaries = SUMMARY.findall(FRAME.sub("", output)) if many else []
    if not summaries:
        # A step that should have counted and did not say so broke before its first test.
        return Outcome(failed=1) if code or many else Outcome(passed=1)
    numbers = {word.rstrip("s"): int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", summaries[-1])}
    failed = numbers.get("failed", 0) + numbers.get("error", 0)
    return Outcome(numbers.get("passed", 0), failed or int(code != 0), numbers.get("skipped", 0))


def reasons(output: str) -> list[str]:
    """What failed and why, out of a step's output: its last lines where nothing in it says so."""
    lines = FRAME.sub("", output).splitlines()
    telling = [line for wanted in (NAMED, WHY) for line in lines if wanted.match(line)]
    return [line[:300] for line in (telling[:TOLD_AT_MOST] or lines[-TOLD_AT_MOST:])]


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def too_late(step: Step) -> str:
    """Why a story is not begun any more: on a slow machine the last ones are not. Cleaning up always is."""
    minutes = (time.monotonic() - BEGAN) / 60
    if minutes < LATEST or not step.many:
        return ""
    return f"skipped {step.name}: {minutes:.0f} minutes are over, and TEST_LATEST_MINUTES is {LATEST:g}\n"


# Set by Ctrl-C: the running steps got the same one, and no other may start.
interrupted = threading.Event()


def run(step: Step, *, live: bool) -> Outcome:
    if interrupted.is_set():
        return Outcome()
    if late := too_late(step):
        say(late)
        return Outcome(skipped=1, told=(late,))
    if shutil.which(step.command[0]) is None and "/" not in step.command[0]:
        missing = f"FAILED {step.name}: {step.command[0]} is not on PATH, and bin/setup should have brought it\n"
        return Outcome(failed=1, told=(missing,))
    began = time.monotonic()
    lines: list[str] = []
    with subprocess.Popen(
        step.command,
        cwd=step.cwd,
        env={**os.environ, **step.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if live:
                say(line)
    output = "".join(lines)
    outcome = counted(output, process.returncode, many=step.many)
    skips = "".join(line for line in lines if line.startswith("skipped: "))
    details = "" if live else output if outcome.failed else skips
    word = "failed" if outcome.failed else "ok"
    said = f"{step.name:<28} {time.monotonic() - began:5.0f} s   {outcome}\n"
    say(f"{word:<6} {said}{details}")
    if not outcome.failed:
        return outcome
    # Told again at the end, in short: an hour of output lies in between.
    why = "".join(f"  {line}\n" for line in reasons(output))
    return replace(outcome, told=(f"FAILED {said}{why}",))


def run_all(steps: list[Step], *, workers: int, live: bool) -> Outcome:
    with ThreadPoolExecutor(workers) as pool:
        try:
            return sum(pool.map(lambda step: run(step, live=live), steps), Outcome())
        except KeyboardInterrupt:
            interrupted.set()
            raise


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/test", description="Proves the repository; see docs/development.md.")
    parser.add_argument("scenario", nargs="*", help="only these Molecule scenarios, on a fleet that stands")
    parser.add_argument("--fast", action="store_true", help="all that needs no container")
    parser.add_argument("--long", action="store_true", help="also what is too slow for CI")
    return parser.parse_args()


def prove(asked: argparse.Namespace) -> Outcome:
    if asked.long:
        os.environ["TEST_LONG"] = "yes"  # molecule/conftest.py
    if asked.scenario:
        # Molecule notes that it made a fleet, and is not told when bin/down or a reboot takes it away.
        forget = [] if fleet_stands() else [molecule("destroy")]
        return run_all([*forget, *(molecule("test", name) for name in asked.scenario)], workers=1, live=True)
    if asked.fast:
        return run_all(fast_steps(), workers=os.cpu_count() or 1, live=False)
    default, *stories = scenarios(long=asked.long)
    # Making the fleet's images keeps one core busy: the other one has time for what needs no fleet.
    with ThreadPoolExecutor(1) as beside:
        fast = beside.submit(run_all, fast_steps(), workers=1, live=False)
        total = run_all([molecule("destroy"), molecule("test", default)], workers=1, live=True)
        total += fast.result()
    # Default has converged the fleet that most stories stand on, and each leaves it healthy: site.yml is not run again.
    steps = [molecule("test" if name in OWN_FLEET else "verify", name) for name in stories]
    total += run_all([*steps, molecule("destroy")], workers=1, live=True)
    if not asked.long:
        say(f"left to bin/test --long: {', '.join(sorted(LONG_SCENARIOS))}, and the tests skipped above\n")
    return total


def main() -> int:
    asked = arguments()
    unknown = sorted(set(asked.scenario) - set(scenarios(long=True)))
    if unknown:
        say(f"bin/test: no scenario {', '.join(unknown)}; there are {', '.join(scenarios(long=True))}\n")
        return 2
    try:
        total = prove(asked)
    except KeyboardInterrupt:
        say("bin/test: interrupted; a test fleet that stands is removed by: molecule destroy\n")
        return 130
    minutes = (time.monotonic() - BEGAN) / 60
    say(f"{''.join(total.told)}{minutes:.1f} minutes\n{total}\n")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
