# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for Grafana refuses what the real one would, or the tests that run against it prove nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "molecule/shared/standins/grafana"
standin = imported(HERE / "grafana_server.py")
GOOD = {
    "server": {"protocol": "https"},
    "security": {
        "admin_user": "platform-admin",
        "admin_password": "secret",
        "secret_key": "secret",
        "disable_gravatar": "true",
        "cookie_secure": "true",
        "strict_transport_security": "true",
    },
    "users": {"allow_sign_up": "false"},
    "auth.anonymous": {"enabled": "false"},
    "analytics": {"reporting_enabled": "false"},
}
PANEL = {"id": 1, "type": "stat", "title": "T", "gridPos": {"x": 0}, "datasource": {"uid": "prometheus"}}
BOARD = {"uid": "a", "title": "A", "schemaVersion": 36, "panels": [PANEL]}


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standin, "KNOWN", HERE / "known.json")


def test_good_settings() -> None:
    standin.judged(GOOD)


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("server", "protocol", "http", "protocol is 'http'"),
        ("users", "allow_sign_up", "true", "allow_sign_up"),
        ("auth.anonymous", "enabled", "true", "auth.anonymous"),
        ("analytics", "reporting_enabled", "", "reporting_enabled"),
        ("security", "cookie_secure", "false", "cookie_secure"),
        ("security", "admin_user", "admin", "default administrator"),
        ("security", "admin_password", "admin", "default administrator"),
        ("security", "secret_key", "", "no secret_key"),
    ],
)
def test_bad_settings(section: str, key: str, value: str, message: str) -> None:
    given = {**GOOD, section: {**GOOD[section], key: value}}
    with pytest.raises(standin.Refusal, match=message):
        standin.judged(given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[serve]\nprotocol = https", r"no section \[serve\]"),
        ("[server]\nprotocoll = https", "no setting protocoll"),
        ("[security]\nadmin_password = $__file{/nowhere/password}", "/nowhere/password"),
        ("protocol = https", "no section headers"),
    ],
)
def test_a_file_that_grafana_would_misread(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "grafana.ini").write_text(text)
    with pytest.raises(standin.Refusal, match=message):
        standin.settings(tmp_path / "grafana.ini")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"url": "http://ops1:9090"}, "no TLS"),
        ({"jsonData": {"tlsSkipVerify": True}}, "no TLS"),
        ({"access": "direct"}, "browsers would ask"),
        ({"editable": True}, "people could change"),
        ({"secureJsonData": {"basicAuthPassword": "plain"}}, "stands in the file itself"),
    ],
)
def test_a_bad_data_source(change: dict[str, Any], message: str) -> None:
    source = {"name": "P", "uid": "prometheus", "type": "prometheus", "access": "proxy", "url": "https://ops1:9090"}
    with pytest.raises(standin.Refusal, match=message):
        standin.data_source({**source, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uid": ""}, "without uid"),
        ({"panels": [PANEL, PANEL]}, "two panels have one number"),
        ({"panels": [{**PANEL, "title": ""}]}, "without title"),
        ({"panels": [{**PANEL, "datasource": {"uid": "promethes"}}]}, "promethes, which is not provisioned"),
    ],
)
def test_a_bad_dashboard(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps({**BOARD, **change}))
    with pytest.raises(standin.Refusal, match=message):
        standin.dashboards([{"name": "p", "options": {"path": str(tmp_path)}}], {"prometheus"})


def test_the_roles_dashboards_are_good() -> None:
    providers = [{"name": "p", "options": {"path": str(ROOT / "roles/grafana/files/dashboards")}}]
    assert len(standin.dashboards(providers, {"prometheus", "alertmanager", "logs"})) == 13


def test_a_strange_key(tmp_path: Path) -> None:
    (tmp_path / "datasources").mkdir()
    (tmp_path / "datasources/a.yaml").write_text('{"apiVersion": 1, "datasources": [{"name": "P", "uuid": "p"}]}')
    with pytest.raises(standin.Refusal, match="P has no key uuid"):
        standin.provisioned(tmp_path, "datasources", "datasources")


def test_users_are_kept_with_hashed_passwords(tmp_path: Path) -> None:
    store = standin.Store(tmp_path / "grafana.db", "platform-admin", "secret")
    store.add("eva", ("", ""), "secret-of-eva")
    assert store.who("EVA", "secret-of-eva")["login"] == "eva"
    assert store.who("eva", "other") is None
    assert b"secret-of-eva" not in (tmp_path / "grafana.db").read_bytes()
