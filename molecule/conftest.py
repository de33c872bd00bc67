from __future__ import annotations

from typing import Any

import pytest
from fleet import HOSTS, connect


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> Any:
    """Every host of the test fleet in turn, as testinfra sees it."""
    return connect(request.param)
