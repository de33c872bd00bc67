# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves Prometheus' rules with promtool and ends in one line: N passed, N failed.

usage: tests/rules.py [TOPIC ...]      a topic is a file of roles/prometheus/files/rules, and its tests in tests/rules
       tests/rules.py --count          how many alerts there are, and which lack a firing or a quiet case, as JSON

A test says which series are given and which alerts fire at a time, with the summary that a person will read. promtool
wants every label and annotation of an expected alert: what is the same each time is taken from the rule here.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
RULES, TESTS = ROOT / "roles/prometheus/files/rules", ROOT / "tests/rules"
# Values come each minute, unless a case says otherwise.
INTERVAL = "1m"


@dataclass(frozen=True)
class Suite:
    name: str
    rules: list[Mapping[str, Any]]
    tests: list[dict[str, Any]]

    def written(self, place: Path) -> Path:
        """As two files; the second one's path."""
        rules, tests = place / f"{self.name}.rules.yml", place / f"{self.name}.tests.yml"
        rules.write_text(
            yaml.safe_dump({"groups": [{"name": self.name, "rules": [dict(rule) for rule in self.rules]}]})
        )
        given = {"rule_files": [str(rules)], "evaluation_interval": INTERVAL, "tests": self.tests}
        tests.write_text(yaml.safe_dump(given))
        return tests


def rules_of(topic: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((RULES / f"{topic}.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def cases_of(topic: str) -> dict[str, Any]:
    path = TESTS / f"{topic}.yml"
    return yaml.safe_load(path.read_text()) if path.exists() else {}


def topics() -> list[str]:
    return sorted(path.stem for path in RULES.glob("*.yml"))


def group(name: str, case: Mapping[str, Any]) -> dict[str, Any]:
    given = case.get("given") or {}
    for series, values in given.items():
        if not isinstance(values, str):
            raise TypeError(f"{name}: quote the values of {series}: YAML reads 0x10, a zero and ten more, as sixteen")
    series = [{"series": one, "values": values} for one, values in given.items()]
    return {"name": name, "interval": case.get("interval", INTERVAL), "input_series": series}


def alert_group(name: str, case: Mapping[str, Any], rule: Mapping[str, Any]) -> dict[str, Any]:
    expected = []
    for alert in case.get("alerts") or []:
        labels = {key: str(value) for key, value in alert.items() if key != "summary"}
        expected.append(
            {
                "exp_labels": {**rule["labels"], **labels},
                "exp_annotations": {**rule["annotations"], "summary": alert["summary"]},
            }
        )
    tests = [{"eval_time": case["at"], "alertname": rule["alert"], "exp_alerts": expected}]
    if "not_yet_at" in case:
        # What has not lasted long enough must not call anybody.
        tests.insert(0, {"eval_time": case["not_yet_at"], "alertname": rule["alert"], "exp_alerts": []})
    return {**group(name, case), "alert_rule_test": tests}


def record_group(name: str, case: Mapping[str, Any]) -> dict[str, Any]:
    samples = [{"labels": labels, "value": value} for labels, value in case["expect"].items()]
    # promtool compares to the last bit.
    test = {"expr": f"round({name}, 1e-6)", "eval_time": case["at"], "exp_samples": samples}
    return {**group(name, case), "promql_expr_test": [test]}


def suites(topic: str, rules: Sequence[Mapping[str, Any]], cases: Mapping[str, Any]) -> Iterator[Suite]:
    """What promtool gets: an alert alone with its cases, which is ten times as fast; recorded series all together."""
    recorded = [record_group(rule["record"], cases[rule["record"]]) for rule in rules if rule.get("record") in cases]
    if recorded:
        yield Suite(topic, list(rules), recorded)
    for rule in rules:
        if rule.get("alert") in cases:
            # A quiet case names no alerts, and promtool wants none then.
            tests = [alert_group(f"{rule['alert']} {kind}", case, rule) for kind, case in cases[rule["alert"]].items()]
            yield Suite(rule["alert"], [rule], tests)


def counted() -> dict[str, Any]:
    """The alerts, and those without a case that fires and one that does not."""
    alerts = {rule["alert"]: topic for topic in topics() for rule in rules_of(topic) if "alert" in rule}
    fires = {
        name: {bool(case.get("alerts")) for case in cases_of(topic).get(name, {}).values()}
        for name, topic in alerts.items()
    }
    return {"alerts": len(alerts), "untested": sorted(name for name, kinds in fires.items() if kinds != {True, False})}


def promtool(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        ["promtool", *words], check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.returncode, done.stdout


def main(asked: list[str]) -> int:
    if asked == ["--count"]:
        sys.stdout.write(json.dumps(counted()) + "\n")
        return 0
    chosen = asked or topics()
    if shutil.which("promtool") is None:
        sys.stdout.write("promtool is not on PATH, and bin/setup should have brought it\n0 passed, 1 failed\n")
        return 1
    code, said = promtool("check", "rules", *(str(RULES / f"{topic}.yml") for topic in chosen))
    if code:
        sys.stdout.write(f"{said}0 passed, 1 failed\n")
        return 1
    made = [suite for topic in chosen for suite in suites(topic, rules_of(topic), cases_of(topic))]
    ran = [str(one["name"]) for suite in made for one in suite.tests]
    with tempfile.TemporaryDirectory() as place:
        code, said = promtool("test", "rules", *(str(suite.written(Path(place))) for suite in made))
    named = re.findall(r'^\s*(?:name: (.+),|expr: "round\((.+), 1e-6\)".*)$', said, re.MULTILINE)
    failed = {"".join(names) for names in named} & set(ran)
    if code:
        sys.stdout.write(said)
    sys.stdout.writelines(f"FAILED tests/rules::{name}\n" for name in sorted(failed))
    count = max(len(failed), int(code != 0))
    sys.stdout.write(f"{len(ran) - count} passed, {count} failed\n")
    return int(code != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
