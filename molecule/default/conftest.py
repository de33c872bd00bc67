from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from slow_looks import SlowLooks, begin, clear


@pytest.fixture(scope="session", autouse=True)
def slow_looks() -> Iterator[SlowLooks]:
    with ThreadPoolExecutor(3) as pool:
        yield begin(pool)
    clear()
