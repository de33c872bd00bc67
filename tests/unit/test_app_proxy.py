# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of an app host that comes back: closed until something is ready behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_metrics_programs import PROGRAMS, without_ending

ROOT = Path(__file__).resolve().parents[2]
ports: Any = without_ending(ROOT / "roles/app" / PROGRAMS / "app_proxy_ports")

CLOSE_API, OPEN_API = "disable frontend api", "enable frontend api"


def row(pxname: str, svname: str, status: str, check_status: str = "") -> dict[str, str]:
    return {"pxname": pxname, "svname": svname, "status": status, "check_status": check_status}


def table(port: str, *slots: dict[str, str]) -> list[dict[str, str]]:
    return [
        row("api", "FRONTEND", port),
        row("health", "FRONTEND", "OPEN"),
        *slots,
        row("api_blue", "BACKEND", "UP"),
        row("nothing_live", "BACKEND", "UP"),
    ]


def slot(status: str, check: str, backend: str = "api_blue") -> dict[str, str]:
    return row(backend, "slot1", status, check)


@pytest.mark.parametrize(
    ("rows", "live", "told", "waiting"),
    [
        # haproxy has just started, and has looked at nothing.
        (table("OPEN", slot("UP", "INI")), "blue", [CLOSE_API], 1),
        (table("OPEN", slot("UP 1/2", "INI")), "blue", [CLOSE_API], 1),
        (table("OPEN", slot("DOWN", "L4CON")), "blue", [CLOSE_API], 1),
        (table("PAUSED", slot("DOWN", "L7STS")), "blue", [], 1),
        # One container is enough.
        (table("PAUSED", slot("DOWN", "L4CON"), slot("UP", "L7OK")), "blue", [OPEN_API], 0),
        (table("PAUSED", slot("UP", "* L7OK")), "blue", [OPEN_API], 0),
        # A reload, to which the old process handed over what it saw.
        (table("OPEN", slot("UP", "L7OK")), "blue", [], 0),
        # Of the colour that serves.
        (table("OPEN", slot("UP", "L7OK", "api_green")), "blue", [CLOSE_API], 1),
        (table("OPEN", slot("UP", "L7OK")), "none", [CLOSE_API], 1),
        (table("PAUSED", slot("DOWN", "L4CON")), "none", [], 1),
    ],
)
def test_what_haproxy_is_told(rows: list[dict[str, str]], live: str, told: list[str], waiting: int) -> None:
    assert ports.moves(rows, live) == (told, waiting)


def test_each_port_is_its_own() -> None:
    rows = [*table("PAUSED", slot("UP", "L7OK")), row("web", "FRONTEND", "OPEN"), row("web_blue", "slot1", "DOWN", "")]
    assert ports.moves(rows, "blue") == ([OPEN_API, "disable frontend web"], 1)


class Switch:
    """An haproxy that has just started. Its api is ready at the third look."""

    def __init__(self, live: str) -> None:
        self.live, self.port, self.looks, self.told = live, "OPEN", 0, list[str]()

    def __call__(self, command: str) -> str:
        if command.startswith("show map"):
            return f"0x55d0 live {self.live}\n0x55d1 share 0\n\n"
        if command == "show stat":
            self.looks += 1
            up = "UP,L7OK" if self.looks > 2 else "UP,INI"
            head = "# pxname,svname,status,check_status,"
            return f"{head}\napi,FRONTEND,{self.port},,\napi_blue,slot1,{up},\napi_blue,BACKEND,UP,,\n\n"
        self.told.append(command)
        self.port = "PAUSED" if command.startswith("disable") else "OPEN"
        return "\n"


@pytest.mark.parametrize(("live", "told"), [("blue", [CLOSE_API, OPEN_API]), ("none", [CLOSE_API])])
def test_it_ends_once_it_has_nothing_to_wait_for(monkeypatch: pytest.MonkeyPatch, live: str, told: list[str]) -> None:
    switch = Switch(live)
    monkeypatch.setattr(ports, "haproxy", switch)
    monkeypatch.setattr(ports.time, "sleep", lambda _seconds: None)
    ports.main()
    assert switch.told == told


def test_one_that_was_killed_between_is_followed_by_one_that_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    switch = Switch("blue")
    switch.port, switch.looks = "PAUSED", 2
    monkeypatch.setattr(ports, "haproxy", switch)
    ports.main()
    assert switch.told == [OPEN_API]
