# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a server, and what it takes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._postgres import objects, scram
from ansible_collections.trading.platform.plugins.module_utils._postgres.objects import (
    DatabaseNow,
    FunctionNow,
    InsideNow,
    Membership,
    RoleNow,
    SchemaNow,
    ServerNow,
)
from ansible_collections.trading.platform.plugins.module_utils._postgres.wanted import list_items, problems, wanted

SALT = b"0123456789abcdef"
VERIFIER = scram.verifier("secret", SALT)
PLAIN = RoleNow(login=True)
OWN = ("owner", "USAGE")


def role_plan(wish: dict[str, Any], there: RoleNow | None, version: int = 17) -> list[str]:
    now = ServerNow(version, "postgres", {"a": there} if there else {})
    return [one.shown for one in objects.role_statements(wanted([{"name": "a", **wish}], []), now, lambda: SALT)]


@pytest.mark.parametrize(
    ("wish", "there", "expected"),
    [
        (
            {},
            None,
            [
                'CREATE ROLE "a" NOSUPERUSER NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS INHERIT '
                "CONNECTION LIMIT -1"
            ],
        ),
        ({}, PLAIN, []),
        ({"login": False}, PLAIN, ['ALTER ROLE "a" NOLOGIN']),
        ({"connection_limit": 3}, PLAIN, ['ALTER ROLE "a" CONNECTION LIMIT 3']),
        ({"replication": True}, PLAIN, ['ALTER ROLE "a" REPLICATION']),
        (
            {},
            PLAIN._replace(superuser=True, createrole=True, createdb=True, bypassrls=True),
            ['ALTER ROLE "a" NOSUPERUSER NOCREATEROLE NOCREATEDB NOBYPASSRLS'],
        ),
        ({"password": "secret"}, PLAIN._replace(verifier=VERIFIER), []),
        ({"password": "other"}, PLAIN._replace(verifier=VERIFIER), ["ALTER ROLE \"a\" PASSWORD '********'"]),
        ({"password": "secret"}, PLAIN._replace(verifier="md5x"), ["ALTER ROLE \"a\" PASSWORD '********'"]),
        ({}, PLAIN._replace(verifier=VERIFIER), []),
        ({"settings": {"jit": False}}, PLAIN, ['ALTER ROLE "a" SET "jit" TO \'off\'']),
        ({"settings": {"jit": False}}, PLAIN._replace(settings={"jit": "off"}), []),
        ({}, PLAIN._replace(settings={"work_mem": "1GB"}), ['ALTER ROLE "a" RESET "work_mem"']),
        (
            {"settings": {"search_path": '"$user", "b c"'}},
            PLAIN,
            ["ALTER ROLE \"a\" SET \"search_path\" TO '$user', 'b c'"],
        ),
        ({"settings": {"search_path": ["$user", "b"]}}, PLAIN._replace(settings={"search_path": '"$user", b'}), []),
        ({"settings": {"search_path": []}}, PLAIN, ['ALTER ROLE "a" SET "search_path" TO \'\'']),
        ({"settings": {"pgaudit.log": "ddl"}}, PLAIN, ['ALTER ROLE "a" SET "pgaudit"."log" TO \'ddl\'']),
        ({"member_of": ["g"]}, PLAIN, ['GRANT "g" TO "a"']),
        ({"member_of": ["g"]}, PLAIN._replace(member_of=(Membership("g", "postgres"),)), []),
        ({}, PLAIN._replace(member_of=(Membership("g", "postgres"),)), ['REVOKE "g" FROM "a"']),
        ({}, PLAIN._replace(member_of=(Membership("g", "b"),)), ['REVOKE "g" FROM "a" GRANTED BY "b"']),
        (
            {"member_of": ["g"]},
            PLAIN._replace(member_of=(Membership("g", "postgres", True),)),
            ['REVOKE ADMIN OPTION FOR "g" FROM "a"'],
        ),
    ],
)
def test_roles(wish: dict[str, Any], there: RoleNow | None, expected: list[str]) -> None:
    assert role_plan(wish, there) == expected


def test_before_16_a_membership_has_one_grantor() -> None:
    assert role_plan({}, PLAIN._replace(member_of=(Membership("g", "b"),)), 15) == ['REVOKE "g" FROM "a"']


def test_the_password_is_in_neither_form() -> None:
    now = ServerNow(17, "postgres", {"a": PLAIN})
    (one,) = objects.role_statements(wanted([{"name": "a", "password": "secret"}], []), now, lambda: SALT)
    assert one.secret
    assert "secret" not in one.sql + one.shown
    assert VERIFIER in one.sql
    assert VERIFIER not in one.shown


@pytest.mark.parametrize(
    ("text", "quoted_name", "quoted_literal"),
    [
        ("a", '"a"', "'a'"),
        ('a"b', '"a""b"', "'a\"b'"),
        ("a'b", '"a\'b"', "'a''b'"),
        ("a\\'b", '"a\\\'b"', " E'a\\\\''b'"),
        ("é; DROP TABLE x; --", '"é; DROP TABLE x; --"', "'é; DROP TABLE x; --'"),
    ],
)
def test_quoting(text: str, quoted_name: str, quoted_literal: str) -> None:
    assert objects.name(text) == quoted_name
    assert objects.literal(text) == quoted_literal


def test_list_items() -> None:
    assert list_items('"$user", public,"a,b" , "c""d"') == ("$user", "public", "a,b", 'c"d')
    assert list_items("") == ()


def database_plan(wish: dict[str, Any], there: DatabaseNow | None) -> list[str]:
    now = ServerNow(17, "postgres", {}, {"d": there} if there else {})
    return [one.sql for one in objects.database_statements(wanted([], [{"name": "d", "owner": "owner", **wish}]), now)]


OPEN = frozenset({("", "CONNECT"), ("", "TEMPORARY"), ("owner", "CONNECT")})
SHUT = frozenset({("owner", "CONNECT")})


@pytest.mark.parametrize(
    ("wish", "there", "expected"),
    [
        (
            {},
            None,
            [
                'CREATE DATABASE "d" OWNER "owner" ENCODING \'UTF8\' TEMPLATE template0',
                'REVOKE CONNECT, TEMPORARY ON DATABASE "d" FROM PUBLIC',
            ],
        ),
        ({}, DatabaseNow("owner", acl=OPEN), ['REVOKE CONNECT, TEMPORARY ON DATABASE "d" FROM PUBLIC']),
        ({"public_connect": True}, DatabaseNow("owner", acl=OPEN), []),
        ({}, DatabaseNow("owner", acl=SHUT), []),
        ({}, DatabaseNow("x", acl=SHUT), ['ALTER DATABASE "d" OWNER TO "owner"']),
        (
            {"schemas": [{"name": "s"}], "grants": [{"role": "r", "schema": "s"}]},
            DatabaseNow("owner", acl=SHUT),
            ['GRANT CONNECT ON DATABASE "d" TO "r"'],
        ),
        (
            {"grants": [{"role": "r", "database": ["temporary"]}]},
            DatabaseNow("owner", acl=SHUT | {("r", "TEMPORARY")}),
            [],
        ),
        ({"auth_lookup": {"role": "b"}}, DatabaseNow("owner", acl=SHUT), ['GRANT CONNECT ON DATABASE "d" TO "b"']),
    ],
)
def test_databases(wish: dict[str, Any], there: DatabaseNow | None, expected: list[str]) -> None:
    assert database_plan(wish, there) == expected


def test_only_create_database_is_alone() -> None:
    now = ServerNow(17, "postgres")
    statements = objects.database_statements(wanted([], [{"name": "d", "owner": "o"}]), now)
    assert [one.alone for one in statements] == [True, False]


def inside_plan(wish: dict[str, Any], inside: InsideNow) -> list[str]:
    (database,) = wanted([], [{"name": "d", "owner": "owner", **wish}]).databases
    return [one.sql for one in objects.inside_statements(database, inside, "postgres")]


S = [{"name": "s"}]
READ = {"role": "r", "schema": "s", "tables": ["select"]}
USED = SchemaNow("owner", frozenset({("r", "USAGE")}))
TIGHT = {("owner", "", "f"): frozenset({("owner", "EXECUTE")})}
LATER = {**TIGHT, ("owner", "s", "r"): frozenset({("r", "SELECT")})}
SELECT = frozenset({("r", "SELECT")})


@pytest.mark.parametrize(
    ("wish", "inside", "expected"),
    [
        ({}, InsideNow(schemas={"public": SchemaNow("x", frozenset({("", "USAGE")}))}), []),
        (
            {},
            InsideNow(schemas={"public": SchemaNow("x", frozenset({("", "CREATE")}))}),
            ["REVOKE CREATE ON SCHEMA public FROM PUBLIC"],
        ),
        ({"extensions": [{"name": "e"}]}, InsideNow(), ['CREATE EXTENSION "e" SCHEMA "public"']),
        ({"extensions": [{"name": "e"}]}, InsideNow({"e": "other"}), []),
        ({"schemas": S}, InsideNow(defaults=TIGHT), ['CREATE SCHEMA "s" AUTHORIZATION "owner"']),
        (
            {"schemas": S},
            InsideNow(schemas={"s": SchemaNow("x")}, defaults=TIGHT),
            ['ALTER SCHEMA "s" OWNER TO "owner"'],
        ),
        (
            {"schemas": S},
            InsideNow(schemas={"s": SchemaNow("owner")}),
            ['ALTER DEFAULT PRIVILEGES FOR ROLE "owner" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC'],
        ),
        (
            {"schemas": S, "grants": [READ]},
            InsideNow(schemas={"s": SchemaNow("owner")}, defaults=TIGHT),
            [
                'GRANT USAGE ON SCHEMA "s" TO "r"',
                'ALTER DEFAULT PRIVILEGES FOR ROLE "owner" IN SCHEMA "s" GRANT SELECT ON TABLES TO "r"',
            ],
        ),
        ({"schemas": S, "grants": [READ]}, InsideNow(schemas={"s": USED}, defaults=LATER), []),
        (
            {"schemas": S, "grants": [READ]},
            InsideNow(schemas={"s": USED._replace(tables=(SELECT,))}, defaults=LATER),
            [],
        ),
        (
            {"schemas": S, "grants": [READ]},
            InsideNow(schemas={"s": USED._replace(tables=(SELECT, frozenset()))}, defaults=LATER),
            ['GRANT SELECT ON ALL TABLES IN SCHEMA "s" TO "r"'],
        ),
        (
            {"schemas": S, "grants": [{**READ, "default_for_owner": False}]},
            InsideNow(schemas={"s": USED}, defaults=TIGHT),
            [],
        ),
        # Who owns the schema needs no grant.
        (
            {"schemas": S, "grants": [{**READ, "role": "owner"}]},
            InsideNow(schemas={"s": SchemaNow("owner")}, defaults=TIGHT),
            [],
        ),
    ],
)
def test_inside(wish: dict[str, Any], inside: InsideNow, expected: list[str]) -> None:
    assert inside_plan(wish, inside) == expected


LOOKUP = FunctionNow(
    "postgres", objects.LOOKUP_BODY, True, objects.LOOKUP_CONFIG, frozenset({("postgres", "EXECUTE"), ("b", "EXECUTE")})
)
HOME = SchemaNow("postgres", frozenset({("postgres", "USAGE"), ("postgres", "CREATE"), ("b", "USAGE")}))


@pytest.mark.parametrize(
    ("schema", "function", "expected"),
    [
        (HOME, LOOKUP, []),
        (HOME._replace(acl=HOME.acl | {("x", "CREATE")}), LOOKUP, ['REVOKE ALL ON SCHEMA "pgbouncer" FROM "x"']),
        (HOME._replace(acl=HOME.acl | {("b", "CREATE")}), LOOKUP, ['REVOKE CREATE ON SCHEMA "pgbouncer" FROM "b"']),
        (
            HOME,
            LOOKUP._replace(acl=LOOKUP.acl | {("", "EXECUTE")}),
            ['REVOKE EXECUTE ON FUNCTION "pgbouncer"."user_lookup"(text) FROM PUBLIC'],
        ),
        (
            HOME,
            LOOKUP._replace(owner="x"),
            ['ALTER FUNCTION "pgbouncer"."user_lookup"(text) OWNER TO "postgres"'],
        ),
    ],
)
def test_lookup(schema: SchemaNow, function: FunctionNow, expected: list[str]) -> None:
    inside = InsideNow(schemas={"pgbouncer": schema}, lookup=function)
    assert inside_plan({"auth_lookup": {"role": "b"}}, inside) == expected


@pytest.mark.parametrize("change", [{"body": "SELECT 1"}, {"definer": False}, {"config": ()}])
def test_a_lookup_that_was_changed_is_made_again(change: dict[str, Any]) -> None:
    inside = InsideNow(schemas={"pgbouncer": HOME}, lookup=LOOKUP._replace(**change))
    (statement,) = inside_plan({"auth_lookup": {"role": "b"}}, inside)
    assert statement.startswith("CREATE OR REPLACE FUNCTION")


def test_the_order_on_an_empty_server() -> None:
    heads = [
        line.split()[:2]
        for line in inside_plan(
            {"schemas": S, "extensions": [{"name": "e"}], "grants": [READ], "auth_lookup": {"role": "b"}}, InsideNow()
        )
    ]
    assert heads[:3] == [["CREATE", "SCHEMA"], ["CREATE", "EXTENSION"], ["CREATE", "SCHEMA"]]


@pytest.mark.parametrize(
    ("roles", "databases", "message"),
    [
        ([{"name": "a"}, {"name": "a"}], [], "role a is listed 2 times"),
        ([{"name": "postgres"}], [], "is the superuser this module works as"),
        ([{"name": "pg_x"}], [], "a name that PostgreSQL keeps for itself"),
        ([{"name": ""}], [], "has an empty name"),
        ([{"name": "é" * 32}], [], "longer than 63 bytes"),
        ([{"name": "a", "password": ""}], [], "has an empty password"),
        ([{"name": "a", "member_of": ["a"]}], [], "a member of itself"),
        ([{"name": "a", "settings": {"x = 1; --": 1}}], [], "is not a name"),
        ([], [{"name": "postgres", "owner": "a"}], "belongs to PostgreSQL itself"),
        ([], [{"name": "d", "owner": "a", "schemas": [{"name": "pg_x"}]}], "keeps for itself"),
        ([], [{"name": "d", "owner": "a", "grants": [{"role": "r", "schema": "s"}]}], "schema s is not among"),
        ([], [{"name": "d", "owner": "a", "grants": [{"role": "r", "tables": ["select"]}]}], "need a schema"),
        ([], [{"name": "d", "owner": "a", "grants": [{"role": "r"}]}], "it grants nothing"),
        (
            [],
            [{"name": "d", "owner": "a", "schemas": S, "grants": [{"role": "r", "schema": "s", "tables": ["read"]}]}],
            "tables knows no privilege read; use select",
        ),
        (
            [],
            [{"name": "d", "owner": "a", "schemas": [{"name": "pgbouncer"}], "auth_lookup": {"role": "b"}}],
            "remove it from the schemas",
        ),
    ],
)
def test_bad_data(roles: list[dict[str, Any]], databases: list[dict[str, Any]], message: str) -> None:
    assert message in " | ".join(problems(wanted(roles, databases), "postgres"))


def test_roles_that_do_not_exist() -> None:
    want = wanted([{"name": "a", "member_of": ["g"]}], [{"name": "d", "owner": "o", "auth_lookup": {"role": "b"}}])
    found = objects.server_problems(want, ServerNow(17, "postgres"))
    assert [text.split(",")[0] for text in found] == [
        "role a is to be a member of g",
        "database d: role o (owner) does not exist; add it to the roles or correct the name",
        "database d: role b (auth_lookup) does not exist; add it to the roles or correct the name",
    ]


def test_encoding_and_locale_stay() -> None:
    want = wanted([], [{"name": "d", "owner": "o", "encoding": "UTF-8", "locale": "C"}])
    assert objects.server_notes(want, ServerNow(17, "p", {}, {"d": DatabaseNow("o", "UTF8", "C")})) == []
    assert len(objects.server_notes(want, ServerNow(17, "p", {}, {"d": DatabaseNow("o", "LATIN1", "de")}))) == 2


def test_extensions_that_are_not_on_the_disk() -> None:
    (database,) = wanted([], [{"name": "d", "owner": "o", "extensions": [{"name": "postgis"}]}]).databases
    assert objects.inside_problems(database, InsideNow()) == []
    (problem,) = objects.inside_problems(database, InsideNow(available=frozenset({"pgcrypto"})))
    assert "postgis is not installed on this host" in problem
