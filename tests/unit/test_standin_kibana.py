# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for Kibana refuses what the real one would, or the tests that run against it prove nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "molecule/shared/standins/kibana"
standin = imported(HERE / "kibana_server.py")
GOOD: dict[str, Any] = {
    "server.port": 5601,
    "server.ssl.enabled": True,
    "server.securityResponseHeaders.disableEmbedding": True,
    "server.publicBaseUrl": "https://ops1:5601",
    "elasticsearch.hosts": ["https://10.0.0.1:9200"],
    "elasticsearch.username": "kibana",
    "elasticsearch.password": "w" * 40,
    "elasticsearch.ssl.certificateAuthorities": ["/ca.pem"],
    "elasticsearch.ssl.verificationMode": "full",
    "xpack.security.encryptionKey": "a" * 40,
    "xpack.encryptedSavedObjects.encryptionKey": "b" * 40,
    "xpack.reporting.encryptionKey": "c" * 40,
    "xpack.security.session.idleTimeout": "8h",
    "xpack.security.session.lifespan": "24h",
    "xpack.security.secureCookies": True,
    "xpack.fleet.isAirGapped": True,
    "telemetry.optIn": False,
    "telemetry.allowChangingOptInStatus": False,
    "newsfeed.enabled": False,
    "map.includeElasticMapsService": False,
    "status.allowAnonymous": False,
}


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standin, "KNOWN", HERE / "known.json")


def test_good_settings() -> None:
    standin.judged(GOOD)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("server.ssl.enabled", False, "server.ssl.enabled is False"),
        ("server.ssl.enabled", "true", "server.ssl.enabled is 'true'"),
        ("elasticsearch.ssl.verificationMode", "none", "verificationMode is 'none'"),
        ("elasticsearch.hosts", ["http://10.0.0.1:9200"], "without TLS"),
        ("elasticsearch.hosts", [], "or none"),
        ("elasticsearch.username", "elastic", "does not take the superuser"),
        ("elasticsearch.password", "", "elasticsearch.password is empty"),
        ("elasticsearch.ssl.certificateAuthorities", [], "whom is it to trust"),
        ("xpack.security.encryptionKey", "short", "fewer than 32"),
        ("xpack.reporting.encryptionKey", "a" * 40, "one secret serves twice"),
        ("xpack.security.session.idleTimeout", "8 hours", "no duration"),
        ("telemetry.optIn", True, "telemetry.optIn is True"),
        ("status.allowAnonymous", True, "allowAnonymous is True"),
        ("server.publicBaseUrl", "https://ops1:5601/", "must not end with a slash"),
        ("server.port", "5601", "is no number"),
    ],
)
def test_bad_settings(name: str, value: Any, message: str) -> None:
    with pytest.raises(standin.Refusal, match=message):
        standin.judged({**GOOD, name: value})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('server.prot: "https"\n', "unknown configuration key server.prot"),
        ("server.port: 1\nserver.port: 2\n", ":3: server.port has no value, or is there twice"),
        ("server.port: {\n", "server.port: "),
        ('elasticsearch.password: "plain"\n', "stands in the file itself"),
        ('elasticsearch.password: "${NOT_THERE}"\n', "unknown environment variable NOT_THERE"),
    ],
)
def test_a_file_that_kibana_would_refuse(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "kibana.yml").write_text(f"# managed\n{text}")
    with pytest.raises(standin.Refusal, match=message):
        standin.settings(tmp_path / "kibana.yml", {"THERE": "x"})


def test_a_secret_comes_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "kibana.yml").write_text('elasticsearch.password: "${THERE}"\n')
    assert standin.settings(tmp_path / "kibana.yml", {"THERE": "x"}) == {"elasticsearch.password": "x"}


VIEW = {"type": "index-pattern", "id": "v", "attributes": {"title": "logs-*"}, "references": []}
SEARCH = {
    "type": "search",
    "id": "s",
    "attributes": {
        "title": "S",
        "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps({"indexRefName": "index"})},
    },
    "references": [{"name": "index", "type": "index-pattern", "id": "v"}],
}
PANEL = {"panelIndex": "1", "panelRefName": "panel_1", "gridData": {"x": 0, "y": 0, "w": 48, "h": 9, "i": "1"}}
BOARD = {
    "type": "dashboard",
    "id": "b",
    "attributes": {"title": "B", "panelsJSON": json.dumps([PANEL])},
    "references": [{"name": "1:panel_1", "type": "search", "id": "s"}],
}


def wide(x: int) -> str:
    return json.dumps([{**PANEL, "gridData": {**PANEL["gridData"], "x": x}}])  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("one", "message"),
    [
        ({"type": "search"}, "without type, id or attributes"),
        ({**VIEW, "type": "index"}, "unsupported type"),
        ({**SEARCH, "references": []}, "names a reference that it does not have"),
        ({**BOARD, "references": []}, "panel 1 names a reference"),
        ({**BOARD, "attributes": {"panelsJSON": wide(1)}}, "does not fit"),
        ({**VIEW, "type": "visualization", "attributes": {"visState": '{"aggs": []}'}}, "counts nothing"),
    ],
)
def test_an_object_that_kibana_would_show_broken(one: dict[str, Any], message: str) -> None:
    with pytest.raises(standin.Refusal, match=message):
        standin.checked(one)


def test_an_import_is_whole_or_not_at_all(tmp_path: Path) -> None:
    store = standin.Store(tmp_path / "objects.json")
    assert store.bring([SEARCH], True)["errors"][0]["error"]["type"] == "missing_references"
    assert store.all() == {}
    assert store.bring([VIEW, SEARCH, BOARD], True) == {"success": True, "successCount": 3}
    assert store.bring([VIEW], False)["errors"][0]["error"]["type"] == "conflict"
    assert store.bring([VIEW], True)["success"] is True
    assert list(store.all()) == ["index-pattern/v", "search/s", "dashboard/b"]
