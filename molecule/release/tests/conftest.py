"""One load for the whole story: what fails a request is found by the test during which it happens."""

from __future__ import annotations

from collections.abc import Iterator

import data
import pytest
import releases
from probe import Traffic, Window

SECONDS = 1800.0
# bench/run release has the 200 a second; two cores with the whole fleet and its watchers do little else by 60.
RATE = 20.0


@pytest.fixture(scope="session")
def load() -> Iterator[Traffic]:
    releases.converge("v1")
    with Traffic("world1", seconds=SECONDS, rate=RATE) as run:
        run.wait_ready(90)
        yield run
        result = run.result()
    orders = result.orders
    assert orders["acknowledged"], result
    assert (orders["lost"], orders["doubled"]) == (0, 0), orders


@pytest.fixture
def seen(load: Traffic) -> Iterator[Window]:
    """A test under load in which no request may fail, and every WebSocket must be back."""
    with load.window() as window:
        yield window
    window.assert_unnoticed()


@pytest.fixture(autouse=True)
def leaves_the_data_layer_alone() -> Iterator[None]:
    yield
    data.wait_healthy()
