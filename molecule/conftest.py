from __future__ import annotations

import os
from typing import Any

import pytest
from fleet import HOSTS, connect


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is marked long is left to bin/test --long, and counts as skipped."""
    if not os.environ.get("TEST_LONG"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: bin/test --long"))


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> Any:
    """Every host of the test fleet in turn, as testinfra sees it."""
    return connect(request.param)
