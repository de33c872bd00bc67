"""Movements of money by PostgreSQL transactions, each in two round trips: the movement, and COMMIT."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg2

from ledger.figures import classify, reference_range
from ledger.writers import WriteError

CONNECT_TIMEOUT = 5
# The server acknowledges a COMMIT with this warning when the wait for the synchronous standby was cancelled.
NOT_REPLICATED = "canceling wait for synchronous replication"


@dataclass(frozen=True)
class Target:
    host: str
    port: int
    database: str
    user: str
    password: str
    sslmode: str

    def connect(self, **more: Any) -> Any:
        connection = psycopg2.connect(
            host=self.host,
            port=self.port,
            dbname=self.database,
            user=self.user,
            password=self.password,
            sslmode=self.sslmode,
            connect_timeout=CONNECT_TIMEOUT,
            application_name="ledger",
            **more,
        )
        # Transactions are opened and closed in so many words: it must be known when COMMIT was sent.
        connection.autocommit = True
        return connection


class Connection:
    """One connection whose calls can be cut off, and whose COMMIT is trusted only when it says so."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.connection: Any = None

    def connect(self) -> None:
        try:
            self.connection = self.target.connect()
        except psycopg2.Error as error:
            raise WriteError(classify("connect", None), str(error)) from error

    def commit(self, body: str, values: tuple[Any, ...]) -> None:
        stage = "body"
        try:
            cursor = self.connection.cursor()
            cursor.execute(body, values)
            stage = "commit"
            del self.connection.notices[:]
            cursor.execute("COMMIT")
        except psycopg2.Error as error:
            raise WriteError(classify(stage, error.pgcode), str(error)) from error
        if cursor.statusmessage != "COMMIT":
            raise WriteError("refused", f"COMMIT was answered with {cursor.statusmessage}")
        for notice in self.connection.notices:
            if NOT_REPLICATED in notice:
                raise WriteError("unknown", notice)

    def cut(self) -> None:
        with contextlib.suppress(Exception):
            copy = socket.socket(fileno=os.dup(self.connection.fileno()))
            copy.shutdown(socket.SHUT_RDWR)
            copy.close()

    def close(self) -> None:
        if self.connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self.connection.close()
            self.connection = None


USERS = 64
OPENING = 1_000_000
NAMES = [f"ledger-{number}@probe.invalid" for number in range(USERS)]
OPEN_USERS = """
INSERT INTO trading.users (email, password_hash, full_name)
SELECT name, 'ledger probe: no login', 'Ledger probe' FROM unnest(%(names)s::text[]) AS name ON CONFLICT DO NOTHING
"""
# The reference follows from the user, so a second run deposits nothing.
OPEN_WALLETS = """
SELECT count(ledger.deposit(md5('ledger probe ' || id)::uuid, id, %(opening)s))
FROM trading.users WHERE email = ANY (%(names)s)
"""
FIND_USERS = "SELECT id FROM trading.users WHERE email = ANY (%(names)s) ORDER BY id"
MONEY = "SELECT sum(balance) FROM trading.wallets WHERE user_id = ANY (%s)"
MOVE = "BEGIN; SELECT ledger.transfer(%s::uuid, %s, %s, %s)"
# A movement that was applied twice under one reference has four entries, or two transactions.
PRESENT = """
SELECT reference::text, greatest(count(DISTINCT transactions.id), (count(entries.amount) + 1) / 2)
FROM ledger.transactions LEFT JOIN ledger.entries ON entries.transaction_id = transactions.id
WHERE reference BETWEEN %s::uuid AND %s::uuid GROUP BY reference
"""
ENTRIES = """
SELECT coalesce(sum(entries.amount), 0)
FROM ledger.transactions JOIN ledger.entries ON entries.transaction_id = transactions.id
WHERE reference BETWEEN %s::uuid AND %s::uuid
"""


class Mover(Connection):
    """One writer: moves a few cents between two of the probe's users."""

    def __init__(self, target: Target, users: list[int]) -> None:
        super().__init__(target)
        self.users = users
        self.random = random.Random()  # noqa: S311 no secret

    def write(self, reference: str) -> None:
        payer, payee = self.random.sample(self.users, 2)
        self.commit(MOVE, (reference, payer, payee, self.random.randint(1, 100) / 100))


def ask(connection: Any, query: str, values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())


def opened(target: Target) -> dict[str, Any]:
    """The probe's users, each with money, and how much they have together."""
    with contextlib.closing(target.connect()) as connection:
        values = {"names": NAMES, "opening": OPENING}
        with connection.cursor() as cursor:
            cursor.execute(OPEN_USERS, values)
            cursor.execute(OPEN_WALLETS, values)
        users = [user for (user,) in ask(connection, FIND_USERS, values)]
        return {"users": users, "money": str(ask(connection, MONEY, (users,))[0][0])}


def found(target: Target, head: dict[str, Any], settle: float) -> tuple[dict[str, int], dict[str, Any]]:
    """How often each reference of the run is there, and whether the invariant holds. Waits until it may ask."""
    began = time.monotonic()
    while True:
        try:
            with contextlib.closing(target.connect()) as connection:
                span = reference_range(head["run"])
                present = {reference: int(count) for reference, count in ask(connection, PRESENT, span)}
                money = ask(connection, MONEY, (head["users"],))[0][0]
                entries = ask(connection, ENTRIES, span)[0][0]
                problems = ask(connection, "SELECT count(*) FROM ledger.problems", ())[0][0]
        except psycopg2.Error as error:
            if time.monotonic() - began > settle:
                raise WriteError(
                    "unknown", f"nothing to compare with: no answer within {settle:g} s: {error}"
                ) from error
            time.sleep(0.2)
            continue
        return present, {
            "settle_s": round(time.monotonic() - began, 3),
            "invariant_broken": bool(Decimal(head["money"]) != money or entries or problems),
            "invariant": {
                "money_before": head["money"],
                "money_after": str(money),
                "entries_sum": str(entries),
                "problems": int(problems),
            },
        }
