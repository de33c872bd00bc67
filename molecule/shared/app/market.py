"""When the market closes, how much prices move, how many trades wait. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta

FRIDAY = 4


def last_close(now: datetime, close: time) -> datetime:
    """The latest close that is not after now; none on Saturday and Sunday."""
    day = now.astimezone(UTC).date()
    while True:
        moment = datetime.combine(day, close, UTC)
        if moment <= now and day.weekday() <= FRIDAY:
            return moment
        day -= timedelta(days=1)


def squared_returns(last: dict[str, float], trades: Iterable[Mapping[str, str]]) -> float:
    """What trades add to realised variance: each company's price against its one before, which `last` keeps."""
    total = 0.0
    for trade in trades:
        company, price = trade["company_id"], float(trade["price"])
        total += math.log(price / last.get(company, price)) ** 2
        last[company] = price
    return total


def waiting(groups: Iterable[Mapping[str, object]], name: str) -> int:
    """Entries of a stream that a group has not acknowledged: handed out, or not even that."""
    # Redis does not know the lag of a group whose stream was cut before it had read that far.
    return sum(int(str(one.get(key) or 0)) for one in groups if one["name"] == name for key in ("pending", "lag"))
