"""The reference app's pure parts: what it is told, what clients send, tokens, market hours, the page's caching."""

from __future__ import annotations

import contextvars
import json
import logging
import re
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from app import auth, inputs, log, market, pages, statements
from app.settings import Settings, SettingsError

ORDER = {"company_id": 3, "type": "buy", "quantity": 10, "price": "12.50"}
STATIC = Path(pages.__file__).parent / "static"
INVENTORIES = Path(__file__).resolve().parents[2] / "inventories"


def test_order() -> None:
    assert inputs.order(ORDER) == inputs.Order(3, "buy", 10, Decimal("12.50"))
    assert inputs.order({**ORDER, "price": 12.5}).price == Decimal("12.5")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "give"}, "type is buy or sell"),
        ({"type": ["buy"]}, "type is buy or sell"),
        ({"quantity": 0}, "quantity is a whole number from 1"),
        ({"quantity": True}, "quantity is a whole number"),
        ({"quantity": 1.5}, "quantity is a whole number"),
        ({"quantity": 10**12 + 1}, "to 1000000000000"),
        ({"company_id": "3"}, "company_id is a whole number"),
        ({"price": "0.0000"}, "price is above 0"),
        ({"price": "-1"}, "price is above 0"),
        ({"price": "1.00001"}, "at most 4 decimals"),
        ({"price": "NaN"}, "price is above 0"),
        ({"price": "1e3"}, "price is above 0"),
        ({"price": None}, "price is above 0"),
    ],
)
def test_orders_that_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(inputs.BadInput, match=re.escape(message)):
        inputs.order({**ORDER, **change})


@pytest.mark.parametrize(
    ("query", "page"),
    [({}, (None, 100)), ({"after": "0"}, (0, 100)), ({"after": "17", "limit": "1000"}, (17, 1000))],
)
def test_page(query: dict[str, str], page: tuple[int | None, int]) -> None:
    assert inputs.page(query) == page


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"after": "-1"}, {"after": ""}])
def test_pages_that_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(inputs.BadInput):
        inputs.page(query)


@pytest.mark.parametrize(
    ("email", "password", "ok"),
    [
        ("A@example.com", "0123456789", True),
        ("a@example.com", "012345678", False),
        ("a@example.com", None, False),
        ("nobody", "0123456789", False),
        ("a @example.com", "0123456789", False),
        ("a\0@example.com", "0123456789", False),
        (7, "0123456789", False),
    ],
)
def test_credentials(email: object, password: object, ok: bool) -> None:
    body = {"email": email, "password": password}
    if ok:
        assert inputs.credentials(body, shortest=10) == ("a@example.com", "0123456789")
    else:
        with pytest.raises(inputs.BadInput):
            inputs.credentials(body, shortest=10)


def test_keys() -> None:
    assert inputs.idempotency_key("abc-1") == "abc-1"
    assert inputs.idempotency_key(None) != inputs.idempotency_key(None)
    for bad in ("", "a b", "x" * 201, "é"):
        with pytest.raises(inputs.BadInput):
            inputs.idempotency_key(bad)


@pytest.mark.parametrize(("header", "taken"), [("a-1.b_2", True), ("a\nb", False), ("", False), (None, False)])
def test_request_id(header: str | None, taken: bool) -> None:
    assert (inputs.request_id(header) == header) is taken


def test_password() -> None:
    hashed = auth.hash_password("correct horse")
    assert "correct" not in hashed
    assert auth.password_matches("correct horse", hashed)
    assert not auth.password_matches("correct horsf", hashed)
    assert not auth.password_matches("", auth.NOBODY)
    assert not auth.password_matches("x", "plain")


def test_token() -> None:
    token = auth.make_token("key", 7)
    assert token.startswith("7.")
    assert auth.user_of("key", token) == 7
    user, nonce, signature = token.split(".")
    forged = (f"8.{nonce}.{signature}", f"7.{nonce}x.{signature}", f"{user}.{nonce}.", "", "7", "..", f"²{token[1:]}")
    for bad in (*forged, f"{token}é"):
        assert auth.user_of("key", bad) is None, bad
    assert auth.user_of("other", token) is None
    assert token not in auth.session_key(token)


@pytest.mark.parametrize(
    ("header", "cookie", "token"),
    [("Bearer a", "b", "a"), ("bearer a", "", "a"), ("Basic a", "b", "b"), ("", "b", "b"), ("", "", "")],
)
def test_bearer(header: str, cookie: str, token: str) -> None:
    assert auth.bearer(header, cookie) == token


@pytest.mark.parametrize(
    ("now", "close"),
    [
        ("2026-11-20T16:30:00+00:00", "2026-11-20T16:30:00+00:00"),  # a Friday
        ("2026-11-20T16:29:59+00:00", "2026-11-19T16:30:00+00:00"),
        ("2026-11-21T20:00:00+00:00", "2026-11-20T16:30:00+00:00"),
        ("2026-11-23T09:00:00+00:00", "2026-11-20T16:30:00+00:00"),
        ("2026-11-21T01:00:00+09:00", "2026-11-19T16:30:00+00:00"),
    ],
)
def test_last_close(now: str, close: str) -> None:
    assert market.last_close(datetime.fromisoformat(now), time(16, 30)) == datetime.fromisoformat(close)


def test_squared_returns() -> None:
    last: dict[str, float] = {}
    first = [{"company_id": "1", "price": "100"}, {"company_id": "2", "price": "10"}]
    assert market.squared_returns(last, first) == 0
    then = [
        {"company_id": "1", "price": "110"},
        {"company_id": "1", "price": "100"},
        {"company_id": "2", "price": "10"},
    ]
    assert market.squared_returns(last, then) == pytest.approx(2 * 0.0953102**2)
    assert last == {"1": 100, "2": 10}


@pytest.mark.parametrize(
    ("groups", "length"),
    [
        ([], 0),
        ([{"name": "other", "pending": 9, "lag": 9}], 0),
        ([{"name": "notifications", "pending": 2, "lag": 5}], 7),
        ([{"name": "notifications", "pending": 2, "lag": None}], 2),
    ],
)
def test_waiting(groups: list[dict[str, object]], length: int) -> None:
    assert market.waiting(groups, "notifications") == length


def test_settings(tmp_path: Path) -> None:
    (tmp_path / "session_key").write_text("secret\n")
    settings = Settings({"SERVICE": "web", "DRAIN_SECONDS": "5", "SECRETS_DIRECTORY": str(tmp_path)})
    assert (settings.port, settings.drain_seconds, settings.secret("session_key")) == (8080, 5, "secret")
    assert Settings({"LISTEN_PORT": "81"}).port == 81


@pytest.mark.parametrize(
    ("environment", "ask", "message"),
    [
        ({"APP_VARIANT": "odd"}, "release", "APP_VARIANT is 'odd'; it is one of crash"),
        ({"LOG_LEVEL": "loud"}, "release", "LOG_LEVEL is 'LOUD'"),
        ({"LISTEN_PORT": "0"}, "port", "LISTEN_PORT is '0'; it is a whole number from 1 to 65535"),
        ({"DRAIN_SECONDS": "-1"}, "drain_seconds", "DRAIN_SECONDS is '-1'"),
        ({"MARKET_CLOSE": "noon"}, "market_close", "a time of day in UTC like 16:30"),
    ],
)
def test_settings_that_are_refused(environment: dict[str, str], ask: str, message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        getattr(Settings(environment), ask)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    settings = Settings({"SECRETS_DIRECTORY": str(tmp_path)})
    with pytest.raises(SettingsError, match="DATABASE_HOST is not set"):
        settings.text("DATABASE_HOST")
    with pytest.raises(SettingsError, match="session_key cannot be read: No such file"):
        settings.secret("session_key")
    (tmp_path / "session_key").write_text("\n")
    with pytest.raises(SettingsError, match="session_key is empty"):
        settings.secret("session_key")


def test_postgresql_is_told_for_which_request_a_statement_is() -> None:
    def asked(request: str) -> str:
        statements.REQUEST.set(request)
        return statements.marked("SELECT 1")

    header = "a-1.b_2"
    assert contextvars.copy_context().run(asked, inputs.request_id(header)) == "/* request_id=a-1.b_2 */ SELECT 1"
    assert statements.marked("SELECT 1") == "SELECT 1", "what goes on by itself is nobody's"
    # A comment that ends early, or a placeholder, never gets that far.
    for bad in ("a*/b", "%(1)s", "a b"):
        assert bad not in contextvars.copy_context().run(asked, inputs.request_id(bad))


@pytest.mark.parametrize("environment", ["local", "staging", "prod"])
def test_the_address_of_sentry_is_handed_over_as_a_file(environment: str) -> None:
    given = INVENTORIES / environment / "group_vars/all"
    app = yaml.safe_load((given / "app.yml").read_text())
    assert [one["name"] for one in app["app_services"] if "sentry_dsn" in one.get("secrets", ())] == ["api"]
    assert "sentry" not in str([app["app_env"], [one.get("env") for one in app["app_services"]]]).lower()
    if environment != "local":
        assert app["app_secrets"]["sentry_dsn"] == "{{ vault_app_sentry_dsn }}"
        elsewhere = yaml.safe_load((given / "secrets.yml").read_text())["secrets_issued_elsewhere"]
        assert "vault_app_sentry_dsn" in elsewhere, "bin/secrets would make one up"


def test_log_line() -> None:
    record = logging.LogRecord("app", logging.INFO, "", 0, "request\n", (), None)
    record.fields = {"request_id": "r1", "status": 200}
    line = log.JsonLines({"release": "v1"}).format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert (told["release"], told["request_id"], told["status"], told["level"]) == ("v1", "r1", 200, "info")


def test_page_is_found_again_only_unchanged() -> None:
    files = pages.load(STATIC)
    for name in ("app.js", "style.css"):
        assert f"/{name}?v={pages.fingerprint(files[name])}".encode() in files["index.html"]
    assert "immutable" in pages.caching("a", "a")
    assert pages.caching("b", "a") == pages.caching("", "a") == "no-cache"


def test_page_keeps_to_its_policy() -> None:
    """Nothing inline: the Content-Security-Policy at the edge refuses it."""
    page = (STATIC / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT f($1, $2), $1::bigint", "SELECT f(%(1)s, %(2)s), %(1)s::bigint"),
        ("SELECT $12", "SELECT %(12)s"),
        ("SELECT 1 WHERE name LIKE 'a%' AND 7 % 2 = $1", "SELECT 1 WHERE name LIKE 'a%%' AND 7 %% 2 = %(1)s"),
        ("SELECT 1", "SELECT 1"),
    ],
)
def test_statements_for_psycopg2(sql: str, names: str) -> None:
    assert statements.named(sql) == names
    assert names % {str(number): 0 for number in range(1, 13)}


def test_values_for_psycopg2() -> None:
    assert statements.numbered(("a", None)) == {"1": "a", "2": None}


@pytest.mark.parametrize(
    ("state", "passes"),
    [
        ("57P01", True),
        ("08006", True),
        ("40P01", True),
        ("25006", True),
        ("23505", False),
        ("23514", False),
        ("42P01", False),
    ],
)
def test_what_is_tried_again(state: str, passes: bool) -> None:
    assert statements.passes(state) == passes
