"""A market to try things on: demo@trading.test, traders, companies, shares and money. Again: adds what is missing."""

from __future__ import annotations

import argparse
import asyncio
import sys
import uuid
from collections.abc import Sequence
from decimal import Decimal

from app import auth
from app.api import SESSION_SECONDS
from app.service import forever
from app.settings import Settings
from app.store import Store

NAMES = ("Aster", "Birch", "Cedar", "Dahlia", "Elder", "Fir", "Gorse", "Hazel")
SHARES, EACH, MONEY = 10**9, 10_000, 100_000_000


def price(number: int) -> Decimal:
    return Decimal(10 + 5 * number)


class Seed:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings)
        self.hashed = auth.hash_password(settings.secret("demo_password"))

    async def user(self, name: str) -> int:
        """Found or made; the password becomes what the secret says. Its money comes once, whoever asks again."""
        user = await self.store.value(
            "INSERT INTO trading.users (email, password_hash, full_name) VALUES ($1, $2, $3)"
            " ON CONFLICT (lower(email)) DO UPDATE SET password_hash = excluded.password_hash RETURNING id",
            *(f"{name}@trading.test", self.hashed, name.title()),
        )
        reference = uuid.uuid5(uuid.NAMESPACE_URL, f"seed/{name}")
        await self.store.value("SELECT ledger.deposit($1, $2, $3)", reference, user, MONEY)
        return int(user)

    async def company(self, number: int, founder: int) -> int:
        await self.store.rows(
            "INSERT INTO trading.companies (owner_id, name, total_shares, share_price) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (name) DO NOTHING",
            *(founder, NAMES[number], SHARES, price(number)),
        )
        company = await self.store.value("SELECT id FROM trading.companies WHERE name = $1", NAMES[number])
        await self.store.rows(
            "INSERT INTO trading.dividends (company_id, amount) SELECT $1, 0.05"
            " WHERE NOT EXISTS (SELECT FROM trading.dividends WHERE company_id = $1)",
            company,
        )
        return int(company)

    async def supply(self, number: int, company: int, founder: int, traders: Sequence[int]) -> None:
        """Each trader buys from the founder; the keys make a second run find it done."""
        held = await self.store.rows(
            "SELECT user_id FROM trading.orders WHERE company_id = $1 AND request_key = $2", company, f"seed-{company}"
        )
        for trader in set(traders) - {row[0] for row in held}:
            for who, kind, key in ((founder, "sell", f"seed-{company}-{trader}"), (trader, "buy", f"seed-{company}")):
                await self.store.rows(
                    "SELECT trading.place_order($1, $2, $3, $4, $5, $6)",
                    *(who, company, kind, EACH, price(number), key),
                )

    async def session(self, user: int) -> str:
        token = auth.make_token(self.settings.secret("session_key"), user)
        await self.store.redis.set(auth.session_key(token), user, ex=SESSION_SECONDS)
        return token

    async def run(self, traders: int, sessions: int) -> int:
        await self.store.open()
        founder = await self.user("founder")
        users = [await self.user(name) for name in ("demo", *(f"trader{n}" for n in range(1, traders + 1)))]
        companies = [await self.company(number, founder) for number in range(len(NAMES))]
        await asyncio.gather(
            *(self.supply(number, company, founder, users) for number, company in enumerate(companies))
        )
        for user in users[1 : sessions + 1]:
            sys.stdout.write(f"{await self.session(user)}\n")
        if not sessions:
            sys.stdout.write(f"demo@trading.test and {traders} traders, {len(companies)} companies\n")
        await self.store.close()
        return 0


def run(settings: Settings, arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="app seed", description=__doc__)
    parser.add_argument("--traders", type=int, default=3, help="trader1@trading.test and so on")
    parser.add_argument("--sessions", type=int, default=0, help="print a session token for each of the first traders")
    asked = parser.parse_args(arguments)
    return forever(Seed(settings).run(max(asked.traders, asked.sessions), asked.sessions))
