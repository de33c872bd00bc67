# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's pipeline, followed line by line; and the stand-in, which refuses what Logstash would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from program import imported

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "molecule/shared/standins/logstash"
ROLE = ROOT / "roles/logstash"
language = imported(HERE / "logstash_pipeline.py")
server = imported(HERE / "logstash_server.py")
KNOWN = json.loads((HERE / "known.json").read_text())
SECRET = {"LOGSTASH_ELASTICSEARCH_PASSWORD": "secret"}
DOCUMENT = {
    "@timestamp": "2026-01-02T03:04:05.678901Z",
    "message": "it happened",
    "event": {"id": "0123456789abcdef", "dataset": "nginx"},
    "host": {"name": "lb1"},
    "tags": ["theirs"],
    "data_stream": {"type": "logs", "dataset": "edge", "namespace": "test"},
}
LINE = f"<13>1 2026-01-02T03:04:05+00:00 lb1 logs-edge-test 0123456789abcdef - - {json.dumps(DOCUMENT)}"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "KNOWN", HERE / "known.json")


def rendered(**given: Any) -> str:
    """The role's own template, with values as its vars would make them."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)  # noqa: S701 - no HTML
    environment.filters["to_json"] = json.dumps
    values = {
        "ansible_managed": "Managed",
        "__logstash_address": "10.0.0.1",
        "__logstash_pki": "/pki",
        "__logstash_senders": "(^|,)CN=(lb1|app1[.]x)(,|$)",
        "__logstash_stream_list": ["logs-edge-test", "logs-app-test"],
        "__logstash_nodes": ["https://10.0.0.1:9200"],
        "logstash_port": 6514,
        "logstash_user": "logstash",
        **given,
    }
    return environment.from_string((ROLE / "templates/tree/etc/logstash/conf.d/logs.conf.j2").read_text()).render(
        values
    )


def read(text: str) -> Any:
    return language.read(text, KNOWN, SECRET)


def sent(line: str, subject: str = "CN=lb1") -> tuple[dict[str, Any], list[str]]:
    """The event behind all filters, and where it goes."""
    event = {
        "@metadata": {"input": {"tcp": {"ssl": {"subject": subject}}}},
        "@timestamp": "2026-06-06T00:00:00Z",
        "@version": "1",
        "message": line,
        "event": {"original": line},
    }
    return event, [one.options["id"] for one in language.through(read(rendered()), event)]


def test_a_document_is_stored_as_it_came() -> None:
    event, outputs = sent(LINE)
    assert outputs == ["store"]
    assert {name: value for name, value in event.items() if name != "@metadata"} == DOCUMENT
    store = server.Store.__new__(server.Store)
    store.options = read(rendered()).plugins("output")[1].options
    action, document = map(json.loads, store.lines(event).splitlines())
    assert action == {"create": {"_index": "logs-edge-test", "_id": "0123456789abcdef"}}
    assert document == DOCUMENT


@pytest.mark.parametrize(
    ("line", "subject", "why"),
    [
        ("1 open 0", "CN=lb1", "no line of a host"),
        (LINE.replace(" - - ", " "), "CN=lb1", "no line of a host"),
        (LINE, "CN=grafana", "its sender is no host"),
        (LINE, "CN=lb11", "its sender is no host"),
        (LINE, "CN=app1-x", "its sender is no host"),
        (LINE, "", "its sender is no host"),
        (LINE.replace("logs-edge-test", "logs-edge-prod"), "CN=lb1", "no such stream"),
        (LINE.replace("logs-edge-test", ".security"), "CN=lb1", "no such stream"),
        (LINE.replace("logs-edge-test", "-"), "CN=lb1", "no such stream"),
        (LINE.replace("0123456789abcdef -", "short -"), "CN=lb1", "no id"),
        (LINE.replace("0123456789abcdef -", "0123456789/../ -"), "CN=lb1", "no id"),
        (LINE.replace('{"@timestamp"', '{"@timestamp'), "CN=lb1", "no document"),
    ],
)
def test_what_is_none_is_put_aside(line: str, subject: str, why: str) -> None:
    event, outputs = sent(line, subject)
    assert outputs == ["refused"]
    assert event["@metadata"]["refused"] == why
    assert event["message"]


@pytest.mark.parametrize("subject", ["CN=lb1", "CN=app1.x,O=Firm", "O=Firm,CN=lb1"])
def test_who_may_send(subject: str) -> None:
    assert sent(LINE, subject)[1] == ["store"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    }\n  } else {", "  } else {", "no output plugin else"),
        ("tcp {", "relp {", "there is no input plugin relp"),
        (
            "ssl_enabled => true\n    ssl_certificate ",
            "ssl_enable => true\n    ssl_certificate ",
            "no option ssl_enable",
        ),
        ("port => 6514", 'port => "many"', "is no number"),
        ("${LOGSTASH_ELASTICSEARCH_PASSWORD}", "${LOGSTASH_PASSWORD}", "no such variable"),
        ("line { charset", "lines { charset", "there is no codec lines"),
        ('in ["logs-edge-test", "logs-app-test"]', 'in ["logs-edge-test"]', "list of one"),
    ],
)
def test_a_pipeline_that_logstash_would_refuse(old: str, new: str, message: str) -> None:
    text = rendered()
    assert old in text
    with pytest.raises(language.PipelineError, match=message):
        read(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"required"', '"optional"', "none that asks for a certificate"),
        ('ssl_verification_mode => "full"', 'ssl_verification_mode => "none"', "checks no certificate"),
        ("https://10.0.0.1", "http://10.0.0.1", "without TLS"),
        ('action => "create"', 'action => "index"', "stored twice"),
        ('id => "line"', 'id => "hosts"', "two have the same"),
        ('"${LOGSTASH_ELASTICSEARCH_PASSWORD}"', '""', "the password is empty"),
    ],
)
def test_a_pipeline_that_the_role_must_never_write(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    text = rendered(__logstash_pki=tmp_path)
    server.checked(read(text))
    assert old in text
    with pytest.raises(server.Refusal, match=message):
        server.checked(read(text.replace(old, new, 1)))


def test_a_key_in_another_form(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN EC PRIVATE KEY-----\n")
    with pytest.raises(server.Refusal, match="PKCS#8"):
        server.checked(read(rendered(__logstash_pki=tmp_path)))


SETTINGS = {
    "queue.type": "persisted",
    "queue.max_bytes": "4096mb",
    "dead_letter_queue.enable": True,
    "dead_letter_queue.max_bytes": "64mb",
    "dead_letter_queue.storage_policy": "drop_older",
    "api.http.host": "127.0.0.1",
    "pipeline.ecs_compatibility": "v8",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queue.type": "memory"}, "queue.type is 'memory'"),
        ({"queue.max_bytes": "much"}, "without bounds"),
        ({"dead_letter_queue.enable": False}, "dead_letter_queue.enable"),
        ({"api.http.host": "0.0.0.0"}, "api.http.host"),  # noqa: S104 - refused
    ],
)
def test_bad_settings(change: dict[str, Any], message: str) -> None:
    server.judged(SETTINGS)
    with pytest.raises(server.Refusal, match=message):
        server.judged({**SETTINGS, **change})


def test_an_unknown_setting(tmp_path: Path) -> None:
    (tmp_path / "logstash.yml").write_text('# managed\nqueue.typ: "persisted"\n')
    with pytest.raises(server.Refusal, match=r"queue\.typ"):
        server.settings(tmp_path / "logstash.yml")


def test_the_roles_settings_are_known() -> None:
    given = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    assert set(given["__logstash_yml"]) <= set(KNOWN["settings"])


@pytest.mark.parametrize(
    ("text", "mapping", "found"),
    [
        ("a b c d", "%{one} %{} %{[x][y]}", {"one": "a", "[x][y]": "c d"}),
        ("<1>2 x", "<%{}>%{n} %{rest}", {"n": "2", "rest": "x"}),
        ("a b", "%{one},%{two}", None),
        ("x", "<%{one}", None),
    ],
)
def test_dissect(text: str, mapping: str, found: dict[str, str] | None) -> None:
    assert language.dissected(text, mapping) == found
