# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._metrics.routing import (
    RoutingError,
    accepted,
    config,
    problems,
)

SEVERITIES = {"critical": "page", "warning": "slack", "info": "email"}
RECEIVERS: list[dict[str, Any]] = [
    {"name": name, "webhook_configs": [{"url": f"https://x/{name}"}]} for name in SEVERITIES.values()
]
TIMING = {"wait": "10s", "critical_wait": "0s", "interval": "1m", "repeat": "4h"}


def made(**changed: Any) -> dict[str, Any]:
    given = {
        "severities": SEVERITIES, "receivers": RECEIVERS, "routes": [], "inhibitions": [],
        "deadman": {"url": "https://d"}, "globals_": {}, "timing": TIMING,
    }  # fmt: skip
    return config(**{**given, **changed})


def ways(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(way["matchers"][0], way["receiver"]) for way in found["route"]["routes"]]


def test_each_severity_has_its_receiver_and_a_rule_may_name_another() -> None:
    assert ways(made()) == [
        ('alertname="Watchdog"', "deadman"),
        ('notify="page"', "page"),
        ('notify="slack"', "slack"),
        ('notify="email"', "email"),
        ('severity="critical"', "page"),
        ('severity="warning"', "slack"),
        ('severity="info"', "email"),
    ]
    assert made()["route"]["receiver"] == "page"


def test_own_routes_come_before_those_by_severity() -> None:
    assert ways(made(routes=[{"matchers": ['job="node"'], "receiver": "email"}]))[1] == ('job="node"', "email")


def test_the_watchdog_goes_to_the_dead_man_alone() -> None:
    assert made()["receivers"][-1] == {"name": "deadman", "webhook_configs": [{"url": "https://d"}]}
    assert made(deadman={})["receivers"][-1] == {"name": "deadman"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"severities": {**SEVERITIES, "critical": "pgae"}},
         "severity 'critical' goes to the unknown receiver 'pgae'. There are page, slack, email."),
        ({"severities": {"critical": "page", "warning": "slack"}}, "severity 'info' has no receiver"),
        ({"severities": {**SEVERITIES, "fatal": "page"}}, "severity 'fatal' is none that a rule has"),
        ({"receivers": [*RECEIVERS, {"name": "page"}]}, "receiver 'page' is there twice"),
        ({"receivers": [*RECEIVERS, {"name": "empty"}]}, "receiver 'empty' tells nobody"),
        ({"receivers": [*RECEIVERS, {"name": "deadman", "x_configs": [1]}]}, "is the dead-man's switch's own name"),
        ({"routes": [{"matchers": ['a="b"'], "receiver": "x"}]}, "route 1 goes to the unknown receiver 'x'"),
        ({"routes": [{"matchers": ["a b"], "receiver": "page"}]}, "route 1 has matchers that cannot be read"),
        ({"routes": [{"receiver": "page"}]}, "route 1 has matchers that cannot be read"),
        ({"routes": [{"matchers": ['a="b"', 'a="c"'], "receiver": "page"}]}, "route 1 can never match: a cannot be"),
        ({"routes": [{"matchers": ['severity="fatal"'], "receiver": "page"}]}, "no rule has severity 'fatal'"),
        ({"routes": [{"matchers": ['a="b"'], "receiver": "page"},
                     {"matchers": ['a="b"', 'c="d"'], "receiver": "page"}]},
         "route 2 can never match: route 1 takes all of it before"),
    ],
)  # fmt: skip
def test_what_would_not_arrive_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(RoutingError) as caught:
        made(**changed)
    assert message in str(caught.value)


HERE = "/etc/x/secrets/"
READS: list[dict[str, Any]] = [
    {"name": "page", "webhook_configs": [{"http_config": {"authorization": {"credentials_file": f"{HERE}world"}}}]},
    {
        "name": "slack",
        "slack_configs": [{"api_url_file": f"{HERE}slack_url", "http_config": {"ca_file": "/etc/ca.pem"}}],
    },
    {"name": "email", "email_configs": [{"to": "a@b"}]},
]


@pytest.mark.parametrize(
    ("secrets", "messages"),
    [
        (["world", "slack_url", "smtp", "spare"], []),
        (["world", "smtp"], [f"receiver 'slack' reads {HERE}slack_url, and alertmanager_secrets has no 'slack_url'."]),
        (["world", "slack_url"], [f"beside the receivers reads {HERE}smtp,", "It has slack_url, world."]),
        ([], ["has no 'world'", "has no 'slack_url'", "has no 'smtp'", "It has none."]),
    ],
)  # fmt: skip
def test_a_secret_that_nobody_writes_is_refused(secrets: list[str], messages: list[str]) -> None:
    beside = [{"smtp_auth_password_file": f"{HERE}smtp"}, {}]
    if not messages:
        assert accepted(SEVERITIES, READS, [], beside, secrets=secrets, directory=HERE) == SEVERITIES
        return
    with pytest.raises(RoutingError) as caught:
        accepted(SEVERITIES, READS, [], beside, secrets=secrets, directory=HERE)
    assert all(message in str(caught.value) for message in messages), str(caught.value)


def test_a_route_that_lets_go_on_takes_nothing() -> None:
    routes: list[dict[str, Any]] = [
        {"matchers": ['a="b"'], "receiver": "page", "continue": True},
        {"matchers": ['a="b"'], "receiver": "slack"},
    ]
    assert list(problems(SEVERITIES, RECEIVERS, list(routes))) == []
