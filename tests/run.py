"""Runs what bin/test asks for and ends in one line: N passed, N failed[, N skipped].

A step is one command. A step of pytest counts its tests, any other step counts as one.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLLECTION = ROOT / "collections/ansible_collections/trading/platform"
PYTHON_SOURCES = ["collections/ansible_collections/trading/platform", "tests", "molecule", "bench"]
# Run on the standing fleet, in this order; each leaves it healthy. A scenario that is not named here runs after these.
LONG_SCENARIOS = {"newcomer"}


@dataclass(frozen=True)
class Step:
    name: str
    command: list[str]
    cwd: Path = ROOT
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


def fast_steps() -> list[Step]:
    """Everything that needs no container, the slowest first so that two cores end together."""
    sanity = ["ansible-test", "sanity", "--python", "3.11", "--color", "no"]
    return [
        Step("sanity", [sys.executable, str(ROOT / "tests/sanity.py"), *sanity], cwd=COLLECTION),
        Step("ansible-lint", ["ansible-lint", "--offline", "-q"]),
        Step("types", ["mypy", *PYTHON_SOURCES]),
        Step("bad input", ["pytest", "tests/preflight"]),
        Step("unit", ["pytest", str(COLLECTION / "tests/unit"), "tests/unit"]),
        Step("ruff", ["ruff", "check", "."]),
        Step("format", ["ruff", "format", "--check", "."]),
        Step("yamllint", ["yamllint", "--strict", "."]),
        Step("docs", ["bin/docs", "--check"]),
        Step("changelog", ["antsibull-changelog", "lint"], cwd=COLLECTION),
        Step("shell", ["bash", "-n", "bin/setup", "bin/up", "bin/down", "bin/test", "roles/fleet/files/fleet-image"]),
    ]


def scenarios(*, long: bool) -> list[str]:
    """Default first: it makes the fleet that the stories run on."""
    found = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
    stories = [name for name in found if name != "default" and (long or name not in LONG_SCENARIOS)]
    return ["default", *stories]


def molecule(action: str, scenario: str = "default") -> Step:
    keep = ["--destroy=never"] if action == "test" else []
    return Step(f"molecule {action} {scenario}", ["molecule", action, "-s", scenario, *keep])


def counted(output: str, code: int) -> Outcome:
    """What a step's output says of its tests; a step that failed without a failed test counts as one failure."""
    last = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped)", output.rsplit("\n\n", 1)[-1])}
    if not last:
        return Outcome(passed=int(code == 0), failed=int(code != 0))
    failed = last.get("failed", 0)
    return Outcome(last.get("passed", 0), failed if failed or code == 0 else 1, last.get("skipped", 0))


def run(step: Step, *, live: bool) -> Outcome:
    began = time.monotonic()
    process = subprocess.Popen(
        step.command, cwd=step.cwd, env={**os.environ, **step.env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if live:
            sys.stdout.write(line)
            sys.stdout.flush()
    code = process.wait()
    word = "ok    " if code == 0 else "FAILED"
    tail = "" if code == 0 or live else "".join(lines[-80:])
    sys.stdout.write(f"{word} {step.name:<28} {time.monotonic() - began:5.0f} s\n{tail}")
    sys.stdout.flush()
    output = "".join(lines)
    return counted(output[-2000:] if "pytest" in step.command[0] else "", code)


def run_all(steps: list[Step], *, workers: int, live: bool) -> Outcome:
    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(lambda step: run(step, live=live), steps), Outcome())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/test", description="Proves the repository; see docs/development.md.")
    parser.add_argument("scenario", nargs="*", help="only these Molecule scenarios, on the standing fleet where one stands")
    parser.add_argument("--fast", action="store_true", help="all that needs no container")
    parser.add_argument("--long", action="store_true", help="also what is too slow for CI")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    unknown = sorted(set(asked.scenario) - set(scenarios(long=True)))
    if unknown:
        sys.stdout.write(f"bin/test: no scenario {', '.join(unknown)}; there are {', '.join(scenarios(long=True))}\n")
        return 2
    if asked.scenario:
        total = run_all([molecule("test", name) for name in asked.scenario], workers=1, live=True)
    else:
        total = run_all(fast_steps(), workers=os.cpu_count() or 1, live=False)
        if not asked.fast:
            stories = [molecule("test", name) for name in scenarios(long=asked.long)]
            total += run_all([*stories, molecule("destroy")], workers=1, live=True)
            if not asked.long:
                sys.stdout.write(f"left to bin/test --long: {', '.join(sorted(LONG_SCENARIOS))}\n")
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    sys.stdout.write(f"{total.passed} passed, {total.failed} failed{skipped}\n")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
