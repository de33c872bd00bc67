# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._metrics.exporters import ExporterError, landed, targets

TABLE: dict[str, dict[str, Any]] = {
    "node": {"unit": "node-x", "port": 9100, "arguments": ["--a=1", "--b"], "environment": {"USER": "m"}},
    "redis": {"unit": "redis-x", "port": 9121, "path": "/scrape?target=a", "files": {"etc/x/pw": "secret\n"}},
    "sentinel": {"unit": "redis-x", "port": 9121, "path": "/scrape?target=b", "files": {"etc/x/pw": "secret\n"}},
    "pgbouncer": {"command": ["/x", "y"], "files": {"etc/x/pgbouncer.json": "{}"}},
    "blackbox": {"unit": "bb-x", "port": 9115},
    "other": {"unit": "redis-x", "files": {"etc/x/pw": "different\n"}},
    "quoting": {"unit": "q", "arguments": ["--query=a b"]},
    "quoted": {"unit": "q", "environment": {"PASS": "it's"}},
}


def test_an_exporter_is_its_arguments_and_comes_back_by_itself() -> None:
    found = landed(TABLE, ["node"], "managed")
    assert found["content"]["etc/default/node-x"] == "# managed\nARGS='--a=1 --b'\nUSER='m'\n"
    assert "StartLimitIntervalSec=0" in found["content"]["etc/systemd/system/node-x.service.d/trading.conf"]
    assert found["packages"] == found["units"] == ["node-x"]
    assert found["apply"] == [{"match": ["etc/default/node-x"], "command": "systemctl try-restart node-x.servic[e]"}]


def test_two_jobs_may_be_one_process() -> None:
    found = landed(TABLE, ["redis", "sentinel"], "managed")
    assert found["units"] == ["redis-x"]
    assert [one["match"] for one in found["apply"]] == [["etc/x/pw", "etc/default/redis-x"]]


def test_a_program_needs_no_unit() -> None:
    found = landed(TABLE, ["pgbouncer"], "managed")
    assert found == {"content": {"etc/x/pgbouncer.json": "{}"}, "packages": [], "units": [], "apply": []}


@pytest.mark.parametrize(
    ("on", "message"),
    [
        (["nod"], "there is no exporter 'nod'; there are node, redis"),
        (["redis", "other"], "wants /etc/x/pw to be something else"),
        (["quoting"], "no spaces, quotes and backslashes in arguments: --query=a b"),
        (["quoted"], "no quotes and line ends in PASS"),
    ],
)
def test_what_cannot_be_landed_is_refused(on: list[str], message: str) -> None:
    with pytest.raises(ExporterError) as caught:
        landed(TABLE, on, "managed")
    assert message in str(caught.value)


def test_each_probe_is_a_target() -> None:
    probes = [{"name": "front page", "module": "https", "target": "https://10.0.0.1/", "hostname": "x.test"}]
    assert targets(TABLE, ["node", "pgbouncer", "blackbox"], probes) == [
        {"job": "node", "port": 9100},
        {"job": "pgbouncer", "command": ["/x", "y"]},
        {
            "job": "blackbox",
            "name": "blackbox_https",
            "port": 9115,
            "path": "/probe?module=https",
            "params": {"target": "https://10.0.0.1/", "hostname": "x.test"},
            "labels": {"target": "front page", "probe": "https"},
        },
    ]
