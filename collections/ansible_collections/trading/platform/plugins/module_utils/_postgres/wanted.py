# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory asks for inside a PostgreSQL server: roles, databases, schemas, grants. Checked before any use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Union

NAME_BYTES = 63
DATABASE_PRIVILEGES = ("connect", "create", "temporary")
TABLE_PRIVILEGES = ("select", "insert", "update", "delete", "truncate", "references", "trigger")
SEQUENCE_PRIVILEGES = ("usage", "select", "update")
# Settings whose value is a list of names, each quoted on its own.
LIST_SETTINGS = ("search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries")
SettingValue = Union[str, tuple[str, ...]]  # noqa: UP007 - pylint reads it as Python 3.8


class Role(NamedTuple):
    """A role as wanted. Superuser, createrole and createdb cannot be asked for."""

    name: str
    password: str | None = None
    login: bool = True
    replication: bool = False
    bypassrls: bool = False
    inherit: bool = True
    connection_limit: int = -1
    member_of: tuple[str, ...] = ()
    settings: Mapping[str, SettingValue] = {}


class Schema(NamedTuple):
    """A schema and the role that owns it."""

    name: str
    owner: str


class Extension(NamedTuple):
    """An extension and the schema its objects go to."""

    name: str
    schema: str = "public"


class Grant(NamedTuple):
    """What a role may do in a database, or in one of its schemas."""

    role: str
    database: tuple[str, ...] = ()
    schema: str | None = None
    create: bool = False
    tables: tuple[str, ...] = ()
    sequences: tuple[str, ...] = ()
    functions: bool = False
    default_for_owner: bool = True


class AuthLookup(NamedTuple):
    """The function by which pgbouncer reads verifiers, the schema it lies in, and the role that may call it."""

    role: str
    schema: str = "pgbouncer"


class Database(NamedTuple):
    """A database and all that is managed in it."""

    name: str
    owner: str
    encoding: str = "UTF8"
    locale: str | None = None
    public_connect: bool = False
    extensions: tuple[Extension, ...] = ()
    schemas: tuple[Schema, ...] = ()
    grants: tuple[Grant, ...] = ()
    auth_lookup: AuthLookup | None = None


class Wanted(NamedTuple):
    """The whole of it."""

    roles: tuple[Role, ...]
    databases: tuple[Database, ...]


def wanted(roles: Sequence[Mapping[str, Any]], databases: Sequence[Mapping[str, Any]]) -> Wanted:
    """Takes the module's options."""
    return Wanted(tuple(_role(one) for one in roles), tuple(_database(one) for one in databases))


def _given(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


def _role(data: Mapping[str, Any]) -> Role:
    given = _given(data)
    given["member_of"] = tuple(given.get("member_of", ()))
    given["settings"] = {str(key): _setting(str(key), value) for key, value in given.get("settings", {}).items()}
    return Role(**given)


def _setting(name: str, value: Any) -> SettingValue:
    if name in LIST_SETTINGS:
        return tuple(str(part) for part in value) if isinstance(value, list) else list_items(str(value))
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def list_items(text: str) -> tuple[str, ...]:
    """The names in a list like C("$user", public), without their quotes."""
    items, word, quoted = [], "", False
    for char in text:
        if char == '"':
            quoted = not quoted
            word += char
        elif char == "," and not quoted:
            items.append(word)
            word = ""
        else:
            word += char
    items.append(word)
    trimmed = (item.strip() for item in items)
    return tuple(
        item[1:-1].replace('""', '"') if item[:1] == '"' and item[-1:] == '"' and len(item) > 1 else item
        for item in trimmed
        if item
    )


def _database(data: Mapping[str, Any]) -> Database:
    given = _given(data)
    given["extensions"] = tuple(Extension(**_given(one)) for one in given.get("extensions", ()))
    owner = given.get("owner", "")
    given["schemas"] = tuple(Schema(**{"owner": owner, **_given(one)}) for one in given.get("schemas", ()))
    given["grants"] = tuple(_grant(one) for one in given.get("grants", ()))
    lookup = given.get("auth_lookup")
    given["auth_lookup"] = AuthLookup(**_given(lookup)) if lookup else None
    return Database(**given)


def _grant(data: Mapping[str, Any]) -> Grant:
    given = _given(data)
    for key in ("database", "tables", "sequences"):
        given[key] = tuple(given.get(key, ()))
    return Grant(**given)


# --- what cannot be -------------------------------------------------------------------------------------------------


def problems(want: Wanted, superuser: str) -> list[str]:
    """What is wrong with the data itself, before a server is asked."""
    found = [
        *_doubled("role", (role.name for role in want.roles)),
        *_doubled("database", (database.name for database in want.databases)),
    ]
    for role in want.roles:
        found += _role_problems(role, superuser)
    for database in want.databases:
        found += _database_problems(database)
    return found


def _doubled(kind: str, names: Iterable[str]) -> list[str]:
    listed = list(names)
    return [
        f"{kind} {name} is listed {listed.count(name)} times; keep one entry"
        for name in dict.fromkeys(listed)
        if listed.count(name) > 1
    ]


def _name_problem(kind: str, name: str) -> list[str]:
    if not name or "\0" in name:
        return [f"a {kind} has an empty name or one with a zero byte; give it a name"]
    if len(name.encode()) > NAME_BYTES:
        return [f"the name of {kind} {name} is longer than {NAME_BYTES} bytes; PostgreSQL would cut it off; shorten it"]
    return []


def _role_problems(role: Role, superuser: str) -> list[str]:
    found = _name_problem("role", role.name)
    if role.name == superuser:
        found.append(f"role {role.name} is the superuser this module works as; it is not managed; remove the entry")
    elif role.name.startswith("pg_") or role.name in ("public", "none"):
        found.append(f"role {role.name} has a name that PostgreSQL keeps for itself; choose another")
    if role.password is not None and (not role.password or "\0" in role.password):
        found.append(
            f"role {role.name} has an empty password, or one with a zero byte; give it a value or leave it out"
        )
    if role.name in role.member_of:
        found.append(f"role {role.name} is listed as a member of itself; remove that")
    found += [
        f"role {role.name}: setting {name!r} is not a name; write it as in postgresql.conf"
        for name in role.settings
        if not name.replace("_", "").replace(".", "").isalnum()
    ]
    return found


def _database_problems(database: Database) -> list[str]:
    found = _name_problem("database", database.name)
    where = f"database {database.name}"
    if database.name in ("template0", "template1", "postgres"):
        found.append(f"{where} belongs to PostgreSQL itself; it is not managed; remove the entry")
    for schema in database.schemas:
        found += _name_problem("schema", schema.name)
        if schema.name.startswith("pg_") or schema.name == "information_schema":
            found.append(f"{where}: schema {schema.name} has a name that PostgreSQL keeps for itself; choose another")
    found += [f"{where}: {text}" for text in _doubled("schema", (schema.name for schema in database.schemas))]
    found += [f"{where}: {text}" for text in _doubled("extension", (one.name for one in database.extensions))]
    if database.auth_lookup and database.auth_lookup.schema in {schema.name for schema in database.schemas}:
        found.append(
            f"{where}: schema {database.auth_lookup.schema} of auth_lookup belongs to the superuser; "
            "remove it from the schemas"
        )
    for grant in database.grants:
        found += [f"{where}: grant for {grant.role}: {text}" for text in _grant_problems(grant, database)]
    return found


def _grant_problems(grant: Grant, database: Database) -> list[str]:
    found = []
    for label, given, known in (
        ("database", grant.database, DATABASE_PRIVILEGES),
        ("tables", grant.tables, TABLE_PRIVILEGES),
        ("sequences", grant.sequences, SEQUENCE_PRIVILEGES),
    ):
        unknown = [one for one in given if one not in known]
        if unknown:
            found.append(f"{label} knows no privilege {', '.join(unknown)}; use {', '.join(known)}")
    if grant.schema is None and (grant.create or grant.tables or grant.sequences or grant.functions):
        found.append("privileges on objects need a schema; name it")
    if grant.schema is None and not grant.database:
        found.append("it grants nothing; name privileges on the database, or a schema")
    if grant.schema is not None and grant.schema not in {schema.name for schema in database.schemas}:
        found.append(f"schema {grant.schema} is not among the schemas of the database; add it with its owner")
    return found
