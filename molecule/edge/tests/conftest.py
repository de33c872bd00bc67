"""The front door needs a house behind it."""

from __future__ import annotations

import pytest
import releases


@pytest.fixture(scope="session", autouse=True)
def an_application() -> None:
    if "None" in releases.releases().values():
        releases.converge("v1")
