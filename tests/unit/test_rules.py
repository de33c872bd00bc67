# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every alert is complete: whom it calls, what it says, what to do, and a case in which it fires and one in which not.

That the cases come true is promtool's to say: tests/rules.py.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
rules = imported(ROOT / "tests/rules.py")

SEVERITIES = {"critical", "warning", "info"}
# Uids, as roles/grafana has them.
DASHBOARDS = {"executive", "technical", "security", "slo", "edge", "app", "postgres"} | {
    *("redis", "etcd", "hosts", "docker", "backup", "logs"),
}
LEAST = 70
# It always fires: there is nothing close to it, and nobody is called by it.
WATCHDOG = "Watchdog"
TOPICS = rules.topics()
ALERTS = {rule["alert"]: (topic, rule) for topic in TOPICS for rule in rules.rules_of(topic) if "alert" in rule}
RECORDS = {rule["record"]: topic for topic in TOPICS for rule in rules.rules_of(topic) if "record" in rule}
CASES = {name: cases for topic in TOPICS for name, cases in rules.cases_of(topic).items()}
PAGES = sorted((ROOT / "docs/runbooks").glob("*.md"))
# Made of rules and dashboards, by bin/docs.
MADE = [ROOT / "docs/alerts.md", ROOT / "docs/dashboards.md"]
# Written like an alert's name.
NO_ALERT = {"WebSocket", "WebSockets"}
PLAYBOOK = re.compile(r"playbooks/[a-z_/]+\.yml")
DEFAULTS = sorted(ROOT.glob("roles/*/defaults/main.yml"))
# What lands from a tree, and what roles say of files that they make from variables.
LANDED = "\n".join(
    [str(path).removesuffix(".j2") for path in ROOT.glob("roles/*/templates/tree/**/*")]
    + [path.read_text() for path in ROOT.glob("roles/*/vars/main.yml")]
)
VARIABLES = {name for path in DEFAULTS for name in re.findall(r"^(\w+):", path.read_text(), re.MULTILINE)}


def metrics(series: dict[str, str]) -> set[str]:
    return {name.split("{")[0] for name in series}


def anchors(page: Path) -> set[str]:
    return {title.lower() for title in re.findall(r"^## (\S+)$", page.read_text(), re.MULTILINE)}


def sections(page: Path) -> dict[str, str]:
    parts = re.split(r"^## (\S+)$", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_there_are_enough_and_no_name_stands_for_two() -> None:
    names = [rule.get("alert") or rule["record"] for topic in TOPICS for rule in rules.rules_of(topic)]
    assert not [name for name, count in Counter(names).items() if count > 1]
    assert len(ALERTS) >= LEAST


@pytest.mark.parametrize("name", ALERTS)
def test_alert_is_complete(name: str) -> None:
    topic, rule = ALERTS[name]
    said: dict[str, Any] = rule.get("annotations", {})
    assert rule.get("labels", {}).get("severity") in ({"none"} if name == WATCHDOG else SEVERITIES)
    assert set(said) == {"summary", "description", "runbook", "dashboard"}
    assert all(said.values())
    # What is not the summary is the same each time, and tests/rules.py relies on it.
    assert "{{" not in said["description"]
    assert said["dashboard"].split("/")[0] in DASHBOARDS
    path, _, anchor = said["runbook"].partition("#")
    assert (path, anchor) == (f"docs/runbooks/{topic}.md", name.lower())
    assert (ROOT / path).exists()
    assert anchor in anchors(ROOT / path)


@pytest.mark.parametrize("name", sorted(ALERTS.keys() - {WATCHDOG}))
def test_alert_has_a_firing_and_a_quiet_case(name: str) -> None:
    cases = CASES.get(name, {})
    assert set(cases) >= {"fires", "quiet"}
    assert cases["fires"]["alerts"]
    assert ("for" in ALERTS[name][1]) == ("not_yet_at" in cases["fires"])
    assert not cases["quiet"].get("alerts")
    # A quiet case without the series would stay quiet whatever the rule says.
    assert metrics(cases["fires"]["given"]) <= metrics(cases["quiet"]["given"])


def test_watchdog_fires_without_anything() -> None:
    assert "given" not in CASES[WATCHDOG]["fires"]
    assert CASES[WATCHDOG]["fires"]["alerts"]


@pytest.mark.parametrize("name", RECORDS)
def test_recorded_series_has_a_case(name: str) -> None:
    assert CASES.get(name, {}).get("expect")


def test_no_case_is_of_something_that_is_no_more() -> None:
    assert CASES.keys() <= ALERTS.keys() | RECORDS.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_runbook_is_of_an_alert_and_says_what_to_do(page: Path) -> None:
    for title, text in sections(page).items():
        assert ALERTS.get(title, ("",))[0] == page.stem, f"{page.name}: {title} is no alert of {page.stem}.yml"
        assert "```" in text, f"{page.name}: {title} has no first look"
        for part in ("- **Likely:**", "- **Do:**", "- **Escalate:**"):
            assert part in text, f"{page.name}: {title} lacks {part}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_runbook_names_exists(page: Path) -> None:
    text = page.read_text()
    assert not [name for name in PLAYBOOK.findall(text) if not (ROOT / name).exists()]
    roles = {path.parent.parent.name for path in DEFAULTS}
    named = {word for word in re.findall(r"\b[a-z]+_[a-z_]+\b", text) if word.split("_")[0] in roles}
    given = set(re.findall(r"-e ([a-z_]+)=", text)) | set(re.findall(r"[a-z]+_[a-z_]+(?=\.yml|\.py|\()", text))
    assert not named - VARIABLES - given, "a variable that no role has"
    assert not [path for path in re.findall(r"/etc/[\w./-]*\w", text) if path[1:] not in LANDED], "no role lands it"


@pytest.mark.parametrize("page", [*PAGES, *MADE], ids=lambda page: page.stem)
def test_alerts_that_a_page_names_exist(page: Path) -> None:
    named = set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", page.read_text()))
    assert not named.difference(ALERTS, NO_ALERT)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_command_on_a_host_is_run_there_by_sudo(page: Path) -> None:
    """Root cannot log in. What is not quoted twice is read by the shell here, and once more by the one there."""
    text = page.read_text()
    for command in re.findall(r"^ssh .*$", text, re.MULTILINE) + re.findall(r"`(ssh [^`]+)`", text):
        lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        _ssh, host, *there = lexer
        there = there[: there.index("<<<")] if "<<<" in there else there
        assert host in {"HOST", "DB", "LB", "OPS"}, command
        assert len(there) == 1 or all(re.fullmatch(r"[\w./:=@%+-]+", word) for word in there), command
        assert all(step.startswith("sudo ") for step in " ".join(there).split(" && ")), command


# ----- tests/rules.py itself


def test_a_number_that_yaml_has_read_is_refused() -> None:
    with pytest.raises(TypeError, match="quote the values of up"):
        rules.group("X fires", {"given": {"up": 0x10}})


def test_what_promtool_is_given() -> None:
    rule = {
        "alert": "Down",
        "expr": "up == 0",
        "labels": {"severity": "critical"},
        "annotations": {"summary": "{{ $labels.instance }} is down", "description": "Bad."},
    }
    fires = {
        "at": "1m",
        "not_yet_at": "0s",
        "given": {"up": "0x2"},
        "alerts": [{"instance": "db1", "summary": "db1 is down"}],
    }
    made = list(rules.suites("t", [rule], {"Down": {"fires": fires, "quiet": {"at": "1m", "given": {"up": "1x2"}}}}))
    assert [test["name"] for test in made[0].tests] == ["Down fires", "Down quiet"]
    expected = {
        "exp_labels": {"severity": "critical", "instance": "db1"},
        "exp_annotations": {"summary": "db1 is down", "description": "Bad."},
    }
    early, late = made[0].tests[0]["alert_rule_test"]
    assert (early["eval_time"], early["exp_alerts"]) == ("0s", [])
    assert (late["eval_time"], late["exp_alerts"]) == ("1m", [expected])
    assert made[0].tests[1]["alert_rule_test"][0]["exp_alerts"] == []
