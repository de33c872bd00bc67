"""What clients send, checked. No I/O."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

LARGEST = 10**12
LONGEST_PAGE = 1000


class BadInput(Exception):  # noqa: N818  # it is the client's, not an error of ours
    """What is wrong with it, in words for the client."""


class Order(NamedTuple):
    company_id: int
    type: str
    quantity: int
    price: Decimal


def _whole(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
        raise BadInput(f"{name} is a whole number from 1 to {LARGEST}")
    return value


def _price(value: object) -> Decimal:
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,12}(\.\d{1,4})?", str(value)) or Decimal(str(value)) == 0:
        raise BadInput('price is above 0 with at most 4 decimals, such as "12.50"')
    return Decimal(str(value))


def mapping(body: object) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise BadInput("the body is a JSON object")
    return body


def order(body: Mapping[str, Any]) -> Order:
    if body.get("type") not in ("buy", "sell"):
        raise BadInput("type is buy or sell")
    return Order(_whole(body, "company_id"), str(body["type"]), _whole(body, "quantity"), _price(body.get("price")))


def credentials(body: Mapping[str, Any], shortest: int = 1) -> tuple[str, str]:
    email, password = body.get("email"), body.get("password")
    if not isinstance(email, str) or len(email) > 254 or not re.fullmatch(r"[^@\s\0]+@[^@\s\0]+", email):
        raise BadInput("email is an address such as you@example.com")
    if not isinstance(password, str) or not shortest <= len(password) <= 200:
        raise BadInput(f"password has {shortest} to 200 characters")
    return email.lower(), password


def full_name(body: Mapping[str, Any]) -> str:
    name = body.get("full_name")
    if not isinstance(name, str) or not name.strip() or len(name) > 200 or "\0" in name:
        raise BadInput("full_name has 1 to 200 characters")
    return name.strip()


def page(query: Mapping[str, str]) -> tuple[int | None, int]:
    """?after=ID&limit=N of a list."""
    after, limit = query.get("after"), query.get("limit", "100")
    if after is not None and not re.fullmatch(r"\d{1,18}", after):
        raise BadInput("after is the id of an order, or 0")
    if not re.fullmatch(r"\d{1,4}", limit) or not 1 <= int(limit) <= LONGEST_PAGE:
        raise BadInput(f"limit is a number from 1 to {LONGEST_PAGE}")
    return None if after is None else int(after), int(limit)


def idempotency_key(header: str | None) -> str:
    """The client's, or a new one: our own retries need one, too."""
    if header is None:
        return f"server-{uuid.uuid4().hex}"
    if not re.fullmatch(r"[\x21-\x7e]{1,200}", header):
        raise BadInput("Idempotency-Key has 1 to 200 visible characters")
    return header


def request_id(header: str | None) -> str:
    """Taken over where it is harmless in a log."""
    return header if header and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", header) else uuid.uuid4().hex
