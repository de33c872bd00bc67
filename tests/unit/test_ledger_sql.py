"""What the reference app's database refuses, on a PostgreSQL of this machine; and that it is the guards that refuse.

Every attempt is made twice: as things are, and in a transaction that has taken the guard away. The second must succeed,
or the first proves nothing.
"""

# ruff: noqa: S608  # the statements are this file's own

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from app import migrate

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=Path("initdb")).parent
pytestmark = pytest.mark.skipif(not PROGRAMS.is_absolute(), reason="needs a PostgreSQL: apt-get install postgresql-15")
BEFORE = 9
# Two of three users own a company each, all have money; order 1 rests, order 2 has met half of it.
PEOPLE = """
INSERT INTO trading.users (email, password_hash, full_name)
SELECT n || '@trading.test', repeat('x', 20), n FROM generate_series(1, 3) AS n;
SELECT ledger.deposit(md5('deposit ' || n)::uuid, n, 1000) FROM generate_series(1, 3) AS n;
INSERT INTO trading.companies (owner_id, name, total_shares, share_price)
VALUES (1, 'Aster', 1000, 10), (2, 'Birch', 1000, 10);
SELECT trading.place_order(1, 1, 'sell', 10, 10, 'one');
SELECT trading.place_order(3, 1, 'buy', 5, 10, 'two');
SELECT trading.place_order(3, 1, 'buy', 5, 9, 'low');
SELECT trading.place_order(2, 2, 'sell', 10, 10, 'other');
"""
WALLET = "(SELECT id FROM ledger.accounts WHERE user_id = {} AND asset = 'EUR')"
SHARES = "(SELECT id FROM ledger.accounts WHERE user_id = {} AND asset = 'company:1')"
NEW = "INSERT INTO ledger.transactions (reference, kind) VALUES (md5('new')::uuid, 'transfer');"
NEWEST = "(SELECT max(id) FROM ledger.transactions)"
OLDEST = "(SELECT min(id) FROM ledger.transactions)"
COMMIT = "SET CONSTRAINTS ALL IMMEDIATE;"


def entries(*rows: tuple[str, str, float]) -> str:
    values = ", ".join(f"({transaction}, {account}, {amount})" for transaction, account, amount in rows)
    return f"INSERT INTO ledger.entries (transaction_id, account_id, amount) VALUES {values};"


def pair(transaction: str, payer: str, payee: str) -> str:
    return entries((transaction, payer, -1), (transaction, payee, 1))


@dataclass(frozen=True)
class Attempt:
    """What is tried, as whom, what is said; and what, taken away, lets it through."""

    name: str
    role: str
    sql: str
    said: str
    guard: str

    def __str__(self) -> str:
        return self.name


OWNER, APP = "trading_owner", "trading_app"
NO_BOOK = "CREATE OR REPLACE FUNCTION ledger.book() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
FREE = """
DROP TRIGGER refuse_change ON ledger.transactions;
DROP TRIGGER refuse_change ON ledger.entries;
DROP TRIGGER refuse_change ON ledger.trades;
SET CONSTRAINTS ALL DEFERRED;
ALTER TABLE ledger.trades DROP CONSTRAINT trades_transaction_id_fkey;
"""
ANY_TABLE = f"GRANT ALL ON ALL TABLES IN SCHEMA ledger TO {APP}; {NO_BOOK}"
NO_GUARD = "DROP TRIGGER guard_{} ON {};"
ATTEMPTS = [
    Attempt("unbalanced", OWNER, NEW + entries((NEWEST, WALLET.format(1), 1)), "does not sum to zero", NO_BOOK),
    Attempt(
        "two assets that balance only in sum",
        OWNER,
        NEW + entries((NEWEST, WALLET.format(1), -1), (NEWEST, SHARES.format(3), 1)),
        "does not sum to zero",
        NO_BOOK,
    ),
    Attempt("no entries", OWNER, NEW + COMMIT, "no entries", "DROP TRIGGER balanced ON ledger.transactions;"),
    Attempt(
        "entries for an old transaction",
        OWNER,
        pair(OLDEST, WALLET.format(2), WALLET.format(3)),
        "has its entries already",
        NO_BOOK,
    ),
    Attempt(
        "entries one statement after the other",
        OWNER,
        NEW + pair(NEWEST, WALLET.format(1), WALLET.format(2)) + pair(NEWEST, SHARES.format(1), SHARES.format(3)),
        "has its entries already",
        NO_BOOK,
    ),
    Attempt(
        "an account that does not exist",
        OWNER,
        NEW + pair(NEWEST, "4711", "4712"),
        "account that does not exist",
        NO_BOOK,
    ),
    Attempt(
        "a transaction that does not exist",
        OWNER,
        pair("4711", WALLET.format(1), WALLET.format(2)),
        "there is no transaction 4711",
        NO_BOOK,
    ),
    Attempt(
        "overdrawn",
        APP,
        "SELECT ledger.withdraw(md5('much')::uuid, 2, 1001);",
        "accounts_not_overdrawn",
        "ALTER TABLE ledger.accounts DROP CONSTRAINT accounts_not_overdrawn;",
    ),
    Attempt(
        "a balance written by hand",
        OWNER,
        "UPDATE ledger.accounts SET balance = balance + 1 WHERE user_id = 1;",
        "changes by entries only",
        NO_GUARD.format("update", "ledger.accounts"),
    ),
    Attempt(
        "an account for somebody else",
        OWNER,
        "UPDATE ledger.accounts SET asset = 'company:2' WHERE user_id = 3 AND asset = 'company:1';",
        "changes by entries only",
        NO_GUARD.format("update", "ledger.accounts"),
    ),
    Attempt(
        "a new account with money",
        OWNER,
        "INSERT INTO ledger.accounts (user_id, asset, balance) VALUES (3, 'company:2', 1);",
        "a new account is empty",
        NO_GUARD.format("insert", "ledger.accounts"),
    ),
    Attempt(
        "a reference again, for something else",
        APP,
        "SELECT ledger.deposit(md5('deposit 1')::uuid, 1, 999);",
        "belongs to another transaction",
        "ALTER TABLE ledger.transactions DROP CONSTRAINT transactions_reference_key;"
        "CREATE UNIQUE INDEX ON ledger.transactions (reference) WHERE kind = 'none';"
        "CREATE OR REPLACE FUNCTION ledger.deposit(reference uuid, to_user bigint, amount numeric) RETURNS bigint"
        " LANGUAGE sql AS 'SELECT 1::bigint';",
    ),
    *(
        Attempt(f"{sql.split()[0].lower()} of {table}", OWNER, f"{sql};", "the ledger is only ever added to", FREE)
        for table, column in (("transactions", "kind"), ("entries", "amount"), ("trades", "price"))
        for sql in (
            f"DELETE FROM ledger.{table}",
            f"TRUNCATE ledger.{table} CASCADE",
            f"UPDATE ledger.{table} SET {column} = {column}",
        )
    ),
    *(
        Attempt(
            f"the application writes {table}",
            APP,
            sql,
            f"permission denied for table {table}",
            ANY_TABLE,
        )
        for table, sql in (
            ("transactions", NEW),
            ("entries", pair("4711", "1", "2")),
            ("accounts", "INSERT INTO ledger.accounts (user_id, asset) VALUES (3, 'company:2');"),
            (
                "trades",
                "INSERT INTO ledger.trades"
                " (transaction_id, company_id, buy_order_id, sell_order_id, buyer_id, seller_id, quantity, price)"
                f" VALUES ({OLDEST}, 1, 2, 1, 3, 1, 1, 1);",
            ),
        )
    ),
    Attempt(
        "the application posts",
        APP,
        "SELECT ledger.post(md5('new')::uuid, 'transfer',"
        f" ARRAY[{WALLET.format(1)}, {WALLET.format(2)}], ARRAY[-1, 1]);",
        "permission denied for function post",
        f"GRANT EXECUTE ON FUNCTION ledger.post TO {APP}; ALTER FUNCTION ledger.post SECURITY DEFINER;",
    ),
    Attempt(
        "the application settles",
        APP,
        "SELECT ledger.settle(md5('new')::uuid, b, s, 1, 10) FROM trading.orders AS b, trading.orders AS s"
        " WHERE b.request_key = 'low' AND s.request_key = 'one';",
        "permission denied for function settle",
        f"GRANT EXECUTE ON FUNCTION ledger.settle TO {APP}; ALTER FUNCTION ledger.settle SECURITY DEFINER;",
    ),
    Attempt(
        "the application makes a filled order",
        APP,
        "INSERT INTO trading.orders (user_id, company_id, type, quantity, filled, price, status)"
        " VALUES (1, 1, 'buy', 1, 1, 1, 'filled');",
        "a new order is open",
        NO_GUARD.format("insert", "trading.orders"),
    ),
    Attempt(
        "the application fills an order",
        APP,
        "UPDATE trading.orders SET filled = 6 WHERE request_key = 'one';",
        "is filled by ledger.trade only",
        NO_GUARD.format("update", "trading.orders"),
    ),
    Attempt(
        "an order is rewritten",
        OWNER,
        "UPDATE trading.orders SET price = 11 WHERE request_key = 'one';",
        "is not rewritten",
        NO_GUARD.format("update", "trading.orders"),
    ),
    Attempt(
        "a filled order is cancelled",
        APP,
        "UPDATE trading.orders SET status = 'cancelled', filled = 0 WHERE request_key = 'two';",
        "does not change any more",
        NO_GUARD.format("update", "trading.orders"),
    ),
    Attempt(
        "an order is deleted",
        OWNER,
        "DELETE FROM trading.orders WHERE request_key = 'low';",
        "is not deleted",
        NO_GUARD.format("delete", "trading.orders"),
    ),
    Attempt(
        "more shares",
        APP,
        "UPDATE trading.companies SET total_shares = 2000 WHERE id = 1;",
        "has issued its shares",
        NO_GUARD.format("update", "trading.companies"),
    ),
]
# Of the functions themselves, which no guard stands beside: what they are called with, and what they say.
CALLS = [
    ("ledger.trade(md5('t')::uuid, 3, 1, 1, 10)", "is not between the orders"),
    ("ledger.trade(md5('t')::uuid, 2, 1, 1, 10)", "have not 1 shares left"),
    ("ledger.trade(md5('t')::uuid, 3, 4, 1, 9)", "do not match"),
    ("ledger.trade(md5('t')::uuid, 1, 3, 1, 9)", "do not match"),
    ("trading.place_order(2, 1, 'buy', 1001, 1, 'x')", "not enough money"),
    ("trading.place_order(3, 1, 'sell', 6, 1, 'x')", "not enough shares"),
    ("trading.place_order(3, 2, 'sell', 1, 1, 'x')", "not enough shares"),
    ("trading.place_order(3, 9, 'sell', 1, 1, 'x')", "there is no company 9"),
    ("trading.place_order(3, 1, 'give', 1, 1, 'x')", "orders_type_check"),
    ("trading.place_order(3, 1, 'buy', 0, 1, 'x')", "orders_quantity_check"),
    ("trading.place_order(3, 1, 'buy', 1, 'NaN', 'x')", "orders_price_check"),
    ("trading.place_order(3, 1, 'buy', 4, 10, 'two')", "the key belongs to another order"),
]


def program(name: str, *words: str, given: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    # The server refuses to run as root.
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    return subprocess.run(
        [*user, str(PROGRAMS / name), *words], input=given, capture_output=True, text=True, cwd="/", check=check
    )


class Database:
    """One database of the private server; psql is all that is needed to talk to it."""

    def __init__(self, place: Path, name: str) -> None:
        self.place, self.name = place, name

    def tried(self, sql: str, role: str = OWNER) -> subprocess.CompletedProcess[str]:
        words = ("-XAtq", "-v", "ON_ERROR_STOP=1", "-h", str(self.place), "-U", role, "-d", self.name)
        return program("psql", *words, given=sql, check=False)

    def said(self, sql: str, role: str = OWNER) -> str:
        ran = self.tried(sql, role)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def migrated(self, last: int) -> Database:
        for migration in migrate.read(migrate.HERE)[:last]:
            self.said(f"BEGIN; {migrate.HISTORY}; {migration.sql} COMMIT;")
        return self


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A server of its own: a socket in a directory, no port, nothing flushed."""
    directory = Path(tempfile.mkdtemp(prefix="ledger-sql-"))
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres")
    data = str(directory / "data")
    program("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={directory} -c fsync=off -c shared_buffers=16MB"
    program("pg_ctl", "-D", data, "-w", "-s", "-l", str(directory / "log"), "-o", options, "start")
    try:
        Database(directory, "postgres").said(
            "CREATE ROLE trading_owner LOGIN; CREATE ROLE trading_app LOGIN; CREATE ROLE trading_readonly LOGIN;",
            "postgres",
        )
        yield directory
    finally:
        program("pg_ctl", "-D", data, "-w", "-s", "-m", "immediate", "stop")
        shutil.rmtree(directory)


def made(place: Path, name: str, last: int) -> Database:
    """As the role `postgres` grants it, with the migrations."""
    Database(place, "postgres").said(f"CREATE DATABASE {name} OWNER {OWNER}", "postgres")
    database = Database(place, name)
    database.said(
        f"CREATE SCHEMA trading; CREATE SCHEMA ledger; GRANT USAGE ON SCHEMA trading, ledger TO {APP};"
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA trading GRANT ALL ON TABLES TO {APP};"
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT SELECT ON TABLES TO {APP};"
    )
    return database.migrated(last)


@pytest.fixture(scope="module")
def market(place: Path) -> Database:
    database = made(place, "market", len(migrate.read(migrate.HERE)))
    database.said(PEOPLE)
    return database


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_refused(market: Database, attempt: Attempt) -> None:
    tried = market.tried(f"BEGIN; {attempt.sql} COMMIT;", attempt.role)
    assert tried.returncode
    assert attempt.said in tried.stderr
    assert market.said("SELECT count(*) FROM ledger.problems") == "0"


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_not_refused_without_its_guard(market: Database, attempt: Attempt) -> None:
    bare = f"BEGIN; {attempt.guard} SET LOCAL ROLE {attempt.role}; {attempt.sql} RESET ROLE; ROLLBACK;"
    tried = market.tried(bare, "postgres")
    assert tried.returncode == 0, tried.stderr


@pytest.mark.parametrize(("call", "said"), CALLS)
def test_calls_that_are_refused(market: Database, call: str, said: str) -> None:
    assert said in market.tried(f"SELECT {call};", APP).stderr


def test_the_same_again_moves_nothing(market: Database) -> None:
    before = market.said("SELECT sum(balance), count(*) FROM ledger.accounts")
    assert market.said("SELECT ledger.deposit(md5('deposit 1')::uuid, 1, 1000)", APP) == "1"
    assert '"replayed": true' in market.said("SELECT trading.place_order(3, 1, 'buy', 5, 10, 'two')", APP)
    assert market.said("SELECT sum(balance), count(*) FROM ledger.accounts") == before


def test_problems_are_seen(market: Database) -> None:
    """By the view that backups and drills ask, if a superuser ever goes past all guards."""
    past = "SET LOCAL session_replication_role = replica;"
    for sql, problem in (
        ("UPDATE trading.orders SET filled = 6 WHERE request_key = 'one';", "order is not filled by its trades"),
        (entries(("4711", "1", 1)), "entry without account or transaction"),
        ("UPDATE ledger.accounts SET balance = 7 WHERE user_id = 1;", "balance is not the sum of the entries"),
    ):
        assert problem in market.said(f"BEGIN; {past} {sql} TABLE ledger.problems; ROLLBACK;", "postgres")


def test_two_schedulers_pay_a_dividend_once(place: Path) -> None:
    """Each call stays open for a while, so that the other one begins before it ends."""
    database = made(place, "closing", len(migrate.read(migrate.HERE)))
    database.said(PEOPLE)
    # User 3 holds five shares of Aster; nobody but its owner holds any of Birch.
    database.said("INSERT INTO trading.dividends (company_id, amount) VALUES (1, 2), (2, 3);", APP)
    wallets = "SELECT balance FROM ledger.accounts WHERE asset = 'EUR' AND user_id IN (1, 3) ORDER BY user_id"
    owner, holder = map(float, database.said(wallets).split())

    def close(day: str, pause: float = 0) -> tuple[str, str, str]:
        asked = f"BEGIN; SELECT clock_timestamp(); SELECT trading.close_market('{day}'); SELECT pg_sleep({pause});"
        began, *paid, ended = database.said(f"{asked} SELECT clock_timestamp(); COMMIT;", APP).splitlines()
        return began, "".join(paid).strip(), ended

    with ThreadPoolExecutor(2) as pool:
        first, second = sorted(pool.map(lambda _: close("2026-01-02", pause=0.5), range(2)))
    assert second[0] < min(first[2], second[2]), "one began when the other was done: nothing was proven"
    # The one that was done first has paid, whichever began first; to the other one the day is closed.
    paid, nothing = (answer for _ended, answer in sorted((ended, answer) for _began, answer, ended in (first, second)))
    assert nothing == ""
    told = json.loads(paid)
    assert (told["paid"], [one["reason"] for one in told["unpaid"]]) == (
        1,
        ["nobody but the owner holds shares of company 2"],
    )
    # Nor is it paid on another day, or by itself.
    assert json.loads(close("2026-01-03")[1])["paid"] == 0
    assert "dividend 1 is paid" in database.tried("SELECT ledger.pay_dividend(md5('mine')::uuid, 1)", APP).stderr
    assert list(map(float, database.said(wallets).split())) == [owner - 10, holder + 10]
    assert database.said("SELECT count(*) FROM ledger.transactions WHERE kind = 'dividend'") == "1"
    assert database.said("SELECT count(*) FROM ledger.problems") == "0"


def orders(number: int) -> Iterator[str]:
    """Some that rest, meet several, are met in part, are too dear for their owner by then, or come twice."""
    chance = random.Random(7)  # noqa: S311  # no secret
    for index in range(number):
        user, company, kind = chance.randint(1, 3), chance.randint(1, 2), chance.choice(("buy", "sell"))
        quantity, price = chance.randint(1, 30), chance.randint(8, 12)
        order = f"SELECT trading.place_order({user}, {company}, '{kind}', {quantity}, {price}, 'order {index}');"
        yield from [order] * (1 + (index % 9 == 0))


def test_matches_as_before(place: Path, market: Database) -> None:
    """The same orders get the same answers from the functions of 0010 as from those before it."""
    answers = []
    for name, last in (("before", BEFORE), ("after", len(migrate.read(migrate.HERE)))):
        database = made(place, name, last)
        database.said(PEOPLE)
        # One refused order is no reason to stop.
        ran = database.tried("\\set ON_ERROR_STOP off\n" + "\n".join(orders(400)), APP)
        said = [line for line in ran.stderr.splitlines() if "ERROR" in line]
        state = database.said(
            "SELECT user_id, asset, balance FROM ledger.accounts ORDER BY 2, 1;"
            "SELECT id, filled, status FROM trading.orders ORDER BY id;"
            "SELECT id, buy_order_id, sell_order_id, quantity, price FROM ledger.trades ORDER BY id;"
            "SELECT id, share_price FROM trading.companies ORDER BY id"
        )
        assert database.said("SELECT count(*) FROM ledger.problems") == "0"
        answers.append((ran.stdout, said, state))
    assert answers[0] == answers[1]
    for kind in ('"filled"', '"partial"', '"open"', "replayed", "|cancelled", "not enough money", "not enough shares"):
        assert kind in str(answers[0]), kind
