"""When the market closes. No I/O."""

from __future__ import annotations

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
