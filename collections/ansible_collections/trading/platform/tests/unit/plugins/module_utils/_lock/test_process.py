# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run is dead: only certainty counts."""

from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.trading.platform.plugins.module_utils._lock import process
from ansible_collections.trading.platform.plugins.module_utils._lock.process import gone, token


def test_alive() -> None:
    assert not gone(token(os.getpid()))


def test_dead_unburied_and_buried() -> None:
    child = subprocess.Popen(["sleep", "60"])
    found = token(child.pid)
    assert not gone(found)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert gone(found)
    child.wait()
    assert gone(found)


def test_another_process_with_its_number() -> None:
    assert gone(f"{token(os.getpid()).rpartition('/')[0]}/1")


@pytest.mark.parametrize("found", ["", "elsewhere pid:[1]/1/1", "unknown/4194305/1", "x", "a/b/c"])
def test_of_another_machine_nothing_is_known(found: str) -> None:
    assert not gone(found)


def test_one_that_cannot_be_looked_at_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hidden by hidepid: there, but without a line in /proc."""
    found = token(os.getpid())
    monkeypatch.setattr(process, "started", lambda _pid: "")
    assert not gone(found)


def test_a_machine_that_does_not_say_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_place", lambda: process.UNKNOWN)
    assert not gone(f"{process.UNKNOWN}/4194305/1")
