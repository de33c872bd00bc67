# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._metrics.targets import (
    TargetError,
    checked,
    front_modules,
    scrape_configs,
)

HOSTS = {"db1": "10.0.0.1", "db2": "10.0.0.2", "v6": "fd00::1"}
FRONT = {"port": 9998, "path": "/proxy", "tls_config": {"ca_file": "ca.pem"}}
DIRECT = {"scheme": "https", "basic_auth": {"username": "platform"}}
NODE = {"host": "db1", "role": "exporter", "job": "node", "port": 9100}


def configs(*targets: dict[str, Any]) -> list[dict[str, Any]]:
    return scrape_configs(targets, HOSTS, FRONT, DIRECT, {"env": "test"})


def test_a_job_is_one_config_and_reaches_its_hosts_by_their_fronts() -> None:
    assert configs(NODE, {**NODE, "host": "v6"}) == [
        {
            "job_name": "node",
            "scheme": "https",
            "metrics_path": "/proxy",
            "tls_config": {"ca_file": "ca.pem"},
            "static_configs": [
                {
                    "targets": ["10.0.0.1:9998"],
                    "labels": {"instance": "db1", "env": "test", "__param_module": "node"},
                },
                {"targets": ["[fd00::1]:9998"], "labels": {"instance": "v6", "env": "test", "__param_module": "node"}},
            ],
        }
    ]


def test_a_direct_target_is_asked_itself() -> None:
    (found,) = configs({"host": "db1", "job": "prometheus", "port": 9090, "direct": True})
    assert found["basic_auth"] == {"username": "platform"}
    assert found["static_configs"] == [
        {"targets": ["10.0.0.1:9090"], "labels": {"instance": "db1", "env": "test", "__metrics_path__": "/metrics"}}
    ]


def test_two_of_a_job_on_a_host_are_told_apart() -> None:
    two = [
        {"host": "db1", "job": "haproxy", "name": "dbproxy", "port": 1, "labels": {"proxy": "dbproxy"}},
        {"host": "db1", "job": "haproxy", "name": "app_proxy", "port": 2, "labels": {"proxy": "app"}},
    ]
    (found,) = configs(*two)
    labels = [one["labels"] for one in found["static_configs"]]
    assert [(one["proxy"], one["__param_module"]) for one in labels] == [("dbproxy", "dbproxy"), ("app", "app_proxy")]


def test_what_a_probe_asks_for_is_handed_on() -> None:
    probe = {
        **NODE,
        "job": "blackbox",
        "name": "blackbox_icmp",
        "params": {"target": "db2"},
        "labels": {"target": "db2"},
    }
    (found,) = configs(probe)
    assert found["static_configs"][0]["labels"]["__param_target"] == "db2"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("node", "scrape target 'node': is no mapping"),
        ({**NODE, "host": "db9"}, "scrape target 'node' of role exporter on 'db9': its host is not in the inventory"),
        ({"job": "node", "port": 1}, "scrape target 'node' on None: its host is not in the inventory"),
        ({**NODE, "job": "No de"}, "its job must be a name of small letters"),
        ({**NODE, "job": None}, "its job must be a name of small letters"),
        ({**NODE, "name": "a-b"}, "its name 'a-b' must be of small letters"),
        ({**NODE, "port": 0}, "it needs a port from 1 to 65535, or a command"),
        ({"host": "db1", "job": "node"}, "it needs a port from 1 to 65535, or a command"),
        ({**NODE, "prot": "https"}, "has no key prot; there are address, command"),
        ({**NODE, "labels": {"instance": "x"}}, "the platform sets the label instance itself"),
    ],
)
def test_what_cannot_be_scraped_is_refused(target: Any, message: str) -> None:
    with pytest.raises(TargetError) as caught:
        checked([target], list(HOSTS))
    assert message in str(caught.value)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(TargetError, match=r"host is not in.*published twice"):
        checked([{**NODE, "host": "x"}, NODE, NODE], list(HOSTS))


def test_a_job_is_direct_or_not() -> None:
    with pytest.raises(TargetError, match="job node: some of its targets are direct"):
        configs(NODE, {**NODE, "host": "db2", "direct": True})


def test_the_front_passes_on_what_the_host_serves() -> None:
    found = front_modules(
        [
            NODE,
            {"job": "patroni", "port": "8008", "scheme": "https", "address": "10.0.0.1"},
            {"job": "app", "command": ["/x/metrics", "--all"]},
            {"job": "prometheus", "port": 9090, "direct": True},
        ],
        "/pki/exporter",
    )
    assert list(found) == ["node", "patroni", "app"]
    place = {"address": "127.0.0.1", "port": 9100, "scheme": "http", "path": "/metrics"}
    assert found["node"]["http"] == {**place, "verify": False}
    assert found["patroni"]["http"]["tls_cert_file"] == "/pki/exporter/fullchain.pem"
    assert found["app"] == {"method": "exec", "timeout": "4s", "exec": {"command": "/x/metrics", "args": ["--all"]}}


def test_a_name_means_one_thing() -> None:
    same = {**NODE, "params": {"target": "a"}}
    assert len(front_modules([same, {**same, "params": {"target": "b"}}], "/p")) == 1
    with pytest.raises(TargetError, match="'node' is something else already"):
        front_modules([NODE, {**NODE, "port": 9101}], "/p")
