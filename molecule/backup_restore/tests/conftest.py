"""What every test of backups begins with, and leaves."""

from __future__ import annotations

from collections.abc import Iterator

import backups
import data
import pytest
from probe import prepare


@pytest.fixture(scope="session", autouse=True)
def ready() -> None:
    prepare()
    backups.wait_first()


@pytest.fixture(autouse=True)
def leaves_it_healthy() -> Iterator[None]:
    yield
    data.wait_healthy(180)
