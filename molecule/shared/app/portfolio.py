"""What all customers have, and how much more that is than they paid in: figures for those who run the firm."""

from __future__ import annotations

import asyncio
import contextlib

from prometheus_client import Gauge

from app.store import Store, UnavailableError

VALUE = Gauge("app_portfolio_value", "EUR and shares at the last price that customers have, without what founders keep")
PAID_IN = Gauge("app_paid_in", "EUR that customers paid in, less what they took out")
# A look reads every entry of the outside account, on every api: a figure for the firm, not for the night.
SECONDS = 900
# A founder's own shares were paid by nobody, and would outweigh everything else.
FIGURES = """
    SELECT (
        SELECT coalesce(sum(a.balance * CASE a.asset WHEN 'EUR' THEN 1 ELSE c.share_price END), 0)
        FROM ledger.accounts AS a LEFT JOIN trading.companies AS c ON a.asset = 'company:' || c.id
        WHERE a.user_id IS NOT NULL AND a.user_id IS DISTINCT FROM c.owner_id
    )::float8 AS value, (
        SELECT coalesce(-sum(e.amount), 0) FROM ledger.entries AS e JOIN ledger.accounts AS a ON a.id = e.account_id
        WHERE a.system_name = 'outside' AND a.asset = 'EUR'
    )::float8 AS paid_in"""


async def count(store: Store) -> None:
    """Keeps both; the last ones known while the database is away."""
    while True:
        with contextlib.suppress(UnavailableError):
            ((value, paid_in),) = await store.rows(FIGURES)
            VALUE.set(value)
            PAID_IN.set(paid_in)
        await asyncio.sleep(SECONDS)
