"""The front door needs a house behind it."""

from __future__ import annotations

import pytest
import releases


@pytest.fixture(scope="session", autouse=True)
def an_application() -> None:
    releases.any_release()
