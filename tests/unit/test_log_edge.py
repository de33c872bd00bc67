# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge's program: what becomes of a line, and which id it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.trading.platform.plugins.module_utils._logs.rules import masks as checked
from program import imported

ROLE = Path(__file__).resolve().parents[2] / "roles/log_shipper"
edge = imported(ROLE / "templates/tree/usr/local/lib/trading-platform/log_edge.py")
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
SOURCES = {one["name"]: one for one in yaml.safe_load((ROLE / "vars/main.yml").read_text())["__log_shipper_known"]}
RULES = checked(DEFAULTS["log_shipper_masks"])


def made(host: str = "app1") -> Any:
    return edge.edge({"host": host, "environment": "test", "masks": RULES, "sources": SOURCES})


def entry(text: str, **journal: object) -> dict[str, Any]:
    return {
        "msg": text,
        "timereported": "2026-11-22T02:18:37.123456+00:00",
        "syslogseverity": "6",
        "$!": {"MESSAGE": text, "_BOOT_ID": "b", "_PID": "12", "_SOURCE_REALTIME_TIMESTAMP": "1", **journal},
    }


POSTGRES = "2026-11-22 02:18:37.123 UTC [77] "
# As the fleet's own programs wrote them.
UP = (
    'Server redis_master/db2 is UP, reason: Layer7 check passed, code: 0, info: "(tcp-check)", check duration: 5ms. '
    "1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue."
)
SESSION = "127.0.0.1:37178 [28/Nov/2026:12:12:49.472] postgres_rw postgres_primary/<NOSRV> -1/-1/0 0 SC 17/2/0/0/0 0/0"
SWITCHED = (
    r'{"request_id":"6f13c2ff","client":"172.30.72.41","method":"GET","path":"\/api\/companies","status":503,'
    r'"bytes":340,"set":"blue","release":"v1-d62036dd","backend":"api_blue","server":"slot2","queue_ms":0,'
    r'"connect_ms":0,"response_ms":14987,"total_ms":14987,"retries":"0","ending":"----"}'
)
ETCD = (
    '{"level":"warn","ts":"2026-11-28T12:18:23.057Z","caller":"embed/config_logging.go:287",'
    '"msg":"rejected connection","remote-addr":"172.30.72.31:40068","server-name":"","error":"EOF"}'
)
# The fleet's containers have no audit of their own: as auditd's manual has it.
AUDIT = (
    "type=USER_AUTH msg=audit(1795868017.126:456): pid=2318 uid=0 auid=1000 ses=12 subj=unconfined "
    'msg=\'op=PAM:authentication acct="root" exe="/usr/bin/su" hostname=? addr=? terminal=pts/0 res=failed\''
)


@pytest.mark.parametrize(
    ("given", "stream", "found"),
    [
        (
            entry(
                json.dumps({"level": "warning", "message": "m", "request_id": "r", "user": 17, "ms": 1.5, "x": 1}),
                CONTAINER_NAME="c",
            ),
            "app",
            {
                "log.level": "warning",
                "message": "m",
                "http.request.id": "r",
                "user.id": "17",
                "event.duration": 1500000,
                "fields.x": "1",
            },
        ),
        (
            entry("no json", CONTAINER_NAME="c"),
            "app",
            {"message": "no json", "container.name": "c", "log.level": "info"},
        ),
        (
            entry(
                POSTGRES + "app@trading/ 10.0.0.1 STATEMENT:  /* request_id=abc-1 */ SELECT 1",
                _SYSTEMD_UNIT="patroni.service",
            ),
            "postgresql",
            {
                "log.level": "info",
                "user.name": "app",
                "client.ip": "10.0.0.1",
                "http.request.id": "abc-1",
                "process.pid": 77,
            },
        ),
        (
            entry(POSTGRES + "LOG:  checkpoint starting: time", _SYSTEMD_UNIT="patroni.service"),
            "postgresql",
            {
                "service.name": "postgresql",
                "message": "checkpoint starting: time",
                "@timestamp": "2026-11-22T02:18:37.123Z",
            },
        ),
        (
            entry(
                POSTGRES + "o@trading/psql [local] LOG:  AUDIT: SESSION,1,1,DDL,CREATE TABLE",
                _SYSTEMD_UNIT="patroni.service",
            ),
            "audit",
            {"event.dataset": "pgaudit", "postgresql.application": "psql"},
        ),
        (
            entry("2026-11-22 02:18:37,123 ERROR: no leader", _SYSTEMD_UNIT="patroni.service"),
            "postgresql",
            {"service.name": "patroni", "log.level": "error", "message": "no leader"},
        ),
        (
            entry("12:M 22 Nov 2026 02:18:37.123 # Failed", _SYSTEMD_UNIT="redis-server.service"),
            "redis",
            {"log.level": "warning", "message": "Failed", "fields.role": "master"},
        ),
        (
            entry('time="2026-11-22T02:18:37Z" level=error msg="say \\"no\\"" a=1', _SYSTEMD_UNIT="docker.service"),
            "system",
            {"log.level": "error", "message": 'say "no" a=1'},
        ),
        (
            entry(f"[WARNING]  (2318) : {UP}", _SYSTEMD_UNIT="haproxy.service"),
            "edge",
            {"service.name": "haproxy", "log.level": "warning", "message": UP},
        ),
        (
            entry(SESSION, _SYSTEMD_UNIT="haproxy.service"),
            "edge",
            {"service.name": "haproxy", "log.level": "info", "message": SESSION},
        ),
        (
            entry(SWITCHED, _SYSTEMD_UNIT="app-proxy.service"),
            "edge",
            {
                "service.name": "app-proxy",
                "http.request.id": "6f13c2ff",
                "http.response.status_code": 503,
                "event.duration": 14_987_000_000,
                "url.path": "/api/companies",
                "client.ip": "172.30.72.41",
                "fields.server": "slot2",
                "message": "GET /api/companies",
            },
        ),
        (
            entry(ETCD, _SYSTEMD_UNIT="etcd.service"),
            "system",
            {
                "service.name": "etcd",
                "@timestamp": "2026-11-28T12:18:23.057000Z",
                "log.level": "warning",
                "message": "rejected connection",
                "log.origin.function": "embed/config_logging.go:287",
                "fields.error": "EOF",
            },
        ),
        (
            {
                "msg": AUDIT,
                "timereported": "2026-11-22T02:18:37+00:00",
                "$!": {"metadata": {"filename": "/var/log/audit/audit.log", "fileoffset": "7"}},
            },
            "audit",
            {
                "service.name": "auditd",
                "@timestamp": "2026-11-28T12:13:37.126Z",
                "event.action": "user_auth",
                "message": AUDIT,
            },
        ),
        (entry("Failed password for root", SYSLOG_IDENTIFIER="sshd"), "audit", {"service.name": "sshd"}),
        (entry("x", _SYSTEMD_UNIT="backup@full.service"), "system", {"service.name": "backup@"}),
        (
            {
                "msg": json.dumps(
                    {
                        "status": "200",
                        "seconds": 0.25,
                        "path": "/a",
                        "method": "GET",
                        "client": "10.1.1.1",
                        "upstream": "-",
                    }
                ),
                "timereported": "2026-11-22T02:18:37+00:00",
                "$!": {"metadata": {"filename": "/var/log/nginx/access.log", "fileoffset": "7"}},
            },
            "edge",
            {
                "http.response.status_code": 200,
                "event.duration": 250000000,
                "message": "GET /a",
                "client.ip": "10.1.1.1",
            },
        ),
    ],
)
def test_what_becomes_of_a_line(given: dict[str, Any], stream: str, found: dict[str, object]) -> None:
    document = made().document(given)
    assert document["data_stream"]["dataset"] == stream
    assert {path: at(document, path) for path in found} == found
    assert at(document, "host.name") == "app1"


def at(document: Any, path: str) -> object:
    for name in path.split("."):
        document = document[name]
    return document


def test_the_id_is_the_entrys_own() -> None:
    first, again, other = made(), made(), made("app2")
    one = [first.document(entry("same"))["event"]["id"] for _twin in range(2)]
    assert one == [again.document(entry("same"))["event"]["id"] for _twin in range(2)]
    assert len(set(one)) == len(one)
    assert other.document(entry("same"))["event"]["id"] not in one
    assert first.document(entry("same", _SOURCE_REALTIME_TIMESTAMP="2"))["event"]["id"] not in one


def test_a_writer_does_not_choose_address_or_id() -> None:
    text = json.dumps({"message": "m", "data_stream": {"dataset": "audit"}, "event": {"id": "x"}, "host": "other"})
    document = made().document(entry(text, CONTAINER_NAME="c"))
    assert document["data_stream"]["dataset"] == "app"
    assert document["event"]["id"] != "x"
    assert document["host"] == {"name": "app1"}


def test_an_answer_is_one_line_for_rsyslog() -> None:
    said = made().answer(json.dumps(entry("two\nlines of joe@example.com")).encode())
    ship = json.loads(said)["$!"]["ship"]
    assert said.count(b"\n") == 1
    assert ship["stream"] == "logs-system-test"
    assert json.loads(ship["document"])["message"] == "two\nlines of [mail]"
    assert "\n" not in ship["document"]


def test_a_long_line_is_cut_and_says_so() -> None:
    document = made().document(entry("x" * 40_000))
    assert len(document["message"]) == edge.LONGEST
    assert document["log"]["truncated_bytes"] == 40_000 - edge.LONGEST


def test_what_is_not_ascii_arrives_as_it_was_and_half_a_character_does_not_stop_it() -> None:
    line = json.dumps(entry(json.dumps({"message": "grüße \ud83d\ude00 \ud83d"}), CONTAINER_NAME="c"))
    document = json.loads(json.loads(made().answer(line.encode()))["$!"]["ship"]["document"])
    assert document["message"] == "grüße 😀 ?"
