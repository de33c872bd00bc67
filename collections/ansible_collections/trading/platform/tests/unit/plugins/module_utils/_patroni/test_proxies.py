# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose pause is ended and whose is not, with pgbouncers that are lists."""

from __future__ import annotations

from typing import cast

import pytest
from ansible_collections.trading.platform.plugins.module_utils._patroni import operations, pause, proxies
from ansible_collections.trading.platform.plugins.module_utils._patroni.client import Client
from ansible_collections.trading.platform.plugins.module_utils._patroni.proxies import (
    Access,
    Console,
    Proxy,
    ProxyError,
)
from ansible_collections.trading.platform.plugins.module_utils._patroni.work import Options

ACCESS = Access("secret", "ca.pem")
APPS = [Proxy("app1", "10.0.0.21"), Proxy("app2", "10.0.0.22")]
NOBODY = cast(Client, None)


class Bouncers:
    """What is paused, who is away, and what the consoles were told."""

    def __init__(self) -> None:
        self.paused: set[str] = set()
        self.away: set[str] = set()
        self.told: list[str] = []


@pytest.fixture
def bouncers(monkeypatch: pytest.MonkeyPatch) -> Bouncers:
    state = Bouncers()

    class Told(Console):
        def open(self) -> Console:
            if self.proxy.name in state.away:
                raise ProxyError(f"cannot log in to {self.where}")
            return self

        def start(self, command: str) -> None:
            self.open()
            state.told.append(f"{command} on {self.proxy.name}")

        def finish(self, until: float) -> bool:
            return True

        def ask(self, command: str, seconds: float = 3.0) -> list[dict[str, object]]:
            return [{"name": "trading", "paused": int(self.proxy.name in state.paused)}]

    for module in (operations, pause, proxies):
        monkeypatch.setattr(module, "Console", Told)
    # No process of a test forks another.
    monkeypatch.setattr(pause, "guard", lambda resume, seconds: None)
    return state


def test_resume_proxies_lets_the_others_on_where_one_is_away(bouncers: Bouncers) -> None:
    bouncers.away, bouncers.paused = {"app1"}, {"app2"}
    with pytest.raises(ProxyError, match="may still be paused: cannot log in to pgbouncer on app1"):
        operations.resume_proxies(NOBODY, Options(proxies=APPS, access=ACCESS), False)
    assert bouncers.told == ['RESUME "trading" on app2']


@pytest.mark.parametrize(("check", "told"), [(False, ['RESUME "trading" on app2']), (True, [])])
def test_resume_proxies_resumes_what_is_paused(bouncers: Bouncers, check: bool, told: list[str]) -> None:
    bouncers.paused = {"app2"}
    result = operations.resume_proxies(NOBODY, Options(proxies=APPS, access=ACCESS), check)
    assert (result.changed, result.lines, bouncers.told) == (True, ["resume: trading on app2"], told)


def test_what_another_run_paused_after_the_first_look_is_left_alone(bouncers: Bouncers) -> None:
    paused = pause.Paused(APPS, ACCESS)
    assert paused.prepare() == []
    bouncers.paused = {"app2"}
    with pytest.raises(ProxyError, match=r"on app2 .* has paused trading already"), paused:
        pass
    assert bouncers.told == []


def test_what_this_run_paused_is_resumed(bouncers: Bouncers) -> None:
    paused = pause.Paused(APPS, ACCESS)
    paused.prepare()
    with pytest.raises(ZeroDivisionError), paused:
        raise ZeroDivisionError
    assert bouncers.told == [f'{word} "trading" on {app.name}' for word in ("PAUSE", "RESUME") for app in APPS]
