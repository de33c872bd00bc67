"""What is asked of the reference app, and which answers are right. The only place that knows its paths. No I/O here."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

PRICE = "10.00"
# Each maker's one company: more shares than a run can buy, all on sale in one order that every buyer meets at once.
SHARES = 1_000_000_000
# The documentation networks (RFC 5737); enough keys that no limit for one client is ever near.
NETWORKS = ("198.51.100", "203.0.113", "192.0.2")
ADDRESSES = [f"{network}.{host}" for network in NETWORKS for host in range(1, 255)]
# One round of the load. An order is a trade at once; everything else reads.
MIXES = {
    # Mostly looking on, as people do; two orders of other users make a trade.
    "mixed": (*("page", "page", "companies", "page", "trades") * 3, "page", "balances", "page", "balances", "order"),
    "trades": ("order",),
}
SOCKET = "/ws/prices"


@dataclass(frozen=True)
class User:
    """Somebody logged in. `key` is what the switch in front of the app knows a user by."""

    address: str
    token: str

    @property
    def key(self) -> str:
        return self.token.partition(".")[0]


@dataclass(frozen=True)
class Ask:
    """One request, and who asks."""

    kind: str
    method: str
    path: str
    address: str
    key: str
    status: tuple[int, ...] = (200,)
    token: str = ""
    reference: str = ""
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        headers = {"X-Forwarded-For": self.address}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.reference:
            headers["Idempotency-Key"] = self.reference
        return headers


def login(run: str, number: int, password: str) -> Ask:
    """Each from an address of its own: few may log in from one."""
    body = {"email": f"{run}-{number}@trading.test", "password": password}
    return Ask("log in", "POST", "/api/login", ADDRESSES[number], "", body=body)


def order(user: User, company: int, kind: str, quantity: int, reference: str) -> Ask:
    body = {"company_id": company, "type": kind, "quantity": quantity, "price": PRICE}
    return Ask("order", "POST", "/api/orders", user.address, user.key, (200, 201), user.token, reference, body)


def orders(user: User, after: int) -> Ask:
    return Ask("list", "GET", f"/api/orders?limit=1000&after={after}", user.address, user.key, token=user.token)


class Mix:
    """The endless sequence of requests: kinds by turns, addresses and users by turns."""

    def __init__(self, mix: str, users: Sequence[User], companies: Sequence[int], again: int = 50) -> None:
        self.kinds, self.users, self.companies, self.again = MIXES[mix], users, companies, again
        self.numbers = count()
        self.last: Ask | None = None
        self.ordered = 0

    def __next__(self) -> Ask:
        number = next(self.numbers)
        kind = self.kinds[number % len(self.kinds)]
        address = ADDRESSES[number % len(ADDRESSES)]
        user = self.users[number // len(self.kinds) % len(self.users)]
        if kind == "order":
            return self.next_order(user)
        if kind == "balances":
            return Ask(kind, "GET", "/api/balances", user.address, user.key, token=user.token)
        path = {"page": "/", "trades": "/api/trades", "companies": "/api/companies"}[kind]
        return Ask(kind, "GET", path, address, address)

    def next_order(self, user: User) -> Ask:
        """Now and then one is sent a second time, as a client would that got no answer: it must be the same order."""
        self.ordered += 1
        if self.last and self.ordered % self.again == 0:
            return self.last
        company = self.companies[self.ordered % len(self.companies)]
        self.last = order(user, company, "buy", 1, str(uuid.uuid4()))
        return self.last


def wrong(ask: Ask, status: int, body: bytes) -> str | None:
    """Why an answer is not the right one; None if it is."""
    if status not in ask.status:
        return f"{status} for {ask.method} {ask.path.partition('?')[0]}: {body[:120].decode(errors='replace')}"
    if ask.kind == "page":
        return None if b"<html" in body[:1000].lower() else f"{ask.path} is no page"
    try:
        value = json.loads(body)
    except ValueError:
        return f"{ask.path}: no JSON"
    if ask.kind == "order" and not isinstance(value.get("id"), int):
        return f"{ask.path}: an order without an id"
    return None


def order_page(value: dict[str, Any]) -> tuple[list[tuple[int, str | None]], int | None]:
    """The orders on a page of a user's list, with their keys, and after which one the next page begins."""
    return [(row["id"], row["idempotency_key"]) for row in value["orders"]], value["next"]
