# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sources, dashboards and secrets as files."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._grafana.provision import (
    dashboards,
    data_sources,
    secrets,
)

SOURCE = {"name": "Prometheus", "uid": "prometheus", "type": "prometheus", "jsonData": {"httpMethod": "POST"}}
TRUST = {"tlsAuthWithCACert": True, "tlsSkipVerify": False}
SHOWN = {"tlsCACert": "$__file{/ca.pem}"}


def made(place: dict[str, str], more: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    return data_sources([{"place": place, "source": SOURCE}], more or [], TRUST, SHOWN, "/secrets")


def test_a_source_with_a_login() -> None:
    assert made({"url": "https://ops1:9090", "user": "grafana", "password": "p"}) == [
        {
            "name": "Prometheus",
            "uid": "prometheus",
            "type": "prometheus",
            "access": "proxy",
            "url": "https://ops1:9090",
            "editable": False,
            "basicAuth": True,
            "basicAuthUser": "grafana",
            "jsonData": {"httpMethod": "POST", "tlsAuthWithCACert": True, "tlsSkipVerify": False},
            "secureJsonData": {
                "tlsCACert": "$__file{/ca.pem}",
                "basicAuthPassword": "$__file{/secrets/prometheus_password}",
            },
        }
    ]


def test_a_source_by_certificate_alone() -> None:
    (one,) = made({"url": "https://ops1:9090"})
    assert "basicAuth" not in one
    assert one["secureJsonData"] == SHOWN


def test_a_source_without_a_place_is_left_out() -> None:
    assert data_sources([{"place": None, "source": SOURCE}], [], TRUST, SHOWN, "/secrets") == []


def test_the_firms_own_come_as_they_are() -> None:
    more = {"name": "Tempo", "uid": "tempo", "type": "tempo", "url": "https://tempo:3200"}
    assert made({"url": "https://a"}, [more])[1] == {"access": "proxy", "editable": False, **more}


@pytest.mark.parametrize(
    ("place", "more", "message"),
    [
        ({"url": "http://ops1:9090"}, [], "is not https://"),
        ({"user": "grafana"}, [], "is not https://"),
        ({"url": "https://a"}, [{"name": "Other", "uid": "prometheus"}], "the uid 'prometheus' twice"),
        ({"url": "https://a"}, [{"name": "Prometheus"}], "the name 'Prometheus' twice"),
    ],
)
def test_a_bad_source_is_refused(place: dict[str, str], more: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(place, more)


def test_folders() -> None:
    assert dashboards({"slo.json": "1", "executive.json": "2"}, ["executive"], {"Desk/own.json": "3"}) == {
        "etc/grafana/dashboards/Platform/slo.json": "1",
        "etc/grafana/dashboards/Overview/executive.json": "2",
        "etc/grafana/dashboards/Desk/own.json": "3",
    }


@pytest.mark.parametrize(
    ("overview", "own", "message"),
    [
        (["sol"], {}, "'sol', which is no dashboard. There are: slo."),
        ([], {"own.json": ""}, "write Folder/name.json"),
        ([], {"a/b/own.json": ""}, "write Folder/name.json"),
        ([], {"../own.json/x": ""}, "write Folder/name.json"),
        ([], {"Platform/slo.json": ""}, "which is the role's"),
    ],
)
def test_a_bad_dashboard_is_refused(overview: list[str], own: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dashboards({"slo.json": "1"}, overview, own)


def test_a_file_for_each_password() -> None:
    places = {"prometheus": {"password": "p"}, "alertmanager": {"url": "https://a"}, "logs": None}
    assert secrets(places) == {"etc/trading-platform/grafana/prometheus_password": "p"}
