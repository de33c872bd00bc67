"""Alerts caused for real, seen at world1's receiver, and called off: in waves."""

from __future__ import annotations

import alarms
import data
import pytest
import releases


@pytest.fixture(autouse=True)
def healthy() -> None:
    releases.any_release()
    data.wait_healthy()


@pytest.mark.parametrize("name", alarms.WAVES)
def test_everybody_is_called_and_called_off(name: str) -> None:
    heard = alarms.wave(alarms.WAVES[name]())
    assert not [one for one in heard if one.late], heard
    assert not [one for one in heard if not one.cleared], heard


def test_there_are_at_least_fifteen() -> None:
    assert len({call.alert for wave in alarms.WAVES.values() for cause in wave() for call in cause.calls}) >= 15
