# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One plan for the objects inside a PostgreSQL server: what is wanted against what the catalog holds, as statements.

Nothing is ever dropped. A role that is managed loses what was not asked for: attributes, memberships, settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ansible_collections.trading.platform.plugins.module_utils._postgres import scram
from ansible_collections.trading.platform.plugins.module_utils._postgres.wanted import (
    AuthLookup,
    Database,
    Grant,
    Role,
    SettingValue,
    Wanted,
    list_items,
)

PUBLIC = ""
GRANTED_BY_SINCE = 16
LOOKUP = "user_lookup"
# Superusers and replication roles never come through pgbouncer.
LOOKUP_BODY = """
  SELECT r.rolname::text, r.rolpassword
  FROM pg_catalog.pg_authid AS r
  WHERE r.rolname = i_username AND r.rolcanlogin AND NOT r.rolsuper AND NOT r.rolreplication
    AND (r.rolvaliduntil IS NULL OR r.rolvaliduntil > pg_catalog.now())
"""
LOOKUP_CONFIG = ("search_path=pg_catalog, pg_temp",)
MASK = "'********'"

# (grantee, privilege); PUBLIC is the empty name.
Acl = frozenset[tuple[str, str]]


class Statement(NamedTuple):
    """What is sent, what may be shown of it, and whether it refuses to be in a transaction."""

    sql: str
    shown: str
    alone: bool = False

    @property
    def secret(self) -> bool:
        return self.sql != self.shown


class Membership(NamedTuple):
    """One grant of a role to a member."""

    role: str
    grantor: str
    admin: bool = False


class RoleNow(NamedTuple):
    """A role in the catalog."""

    login: bool = False
    superuser: bool = False
    createrole: bool = False
    createdb: bool = False
    replication: bool = False
    bypassrls: bool = False
    inherit: bool = True
    connection_limit: int = -1
    verifier: str | None = None
    settings: Mapping[str, str] = {}
    member_of: tuple[Membership, ...] = ()


class DatabaseNow(NamedTuple):
    """A database in the catalog."""

    owner: str
    encoding: str = "UTF8"
    locale: str = ""
    acl: Acl = frozenset()


class ServerNow(NamedTuple):
    """What all databases share."""

    version: int
    superuser: str
    roles: Mapping[str, RoleNow] = {}
    databases: Mapping[str, DatabaseNow] = {}


class SchemaNow(NamedTuple):
    """A schema in the catalog. `tables` and the like: a privilege set for each object."""

    owner: str
    acl: Acl = frozenset()
    tables: tuple[Acl, ...] = ()
    sequences: tuple[Acl, ...] = ()
    functions: tuple[Acl, ...] = ()


class FunctionNow(NamedTuple):
    """pgbouncer's function."""

    owner: str
    body: str
    definer: bool
    config: tuple[str, ...]
    acl: Acl


class InsideNow(NamedTuple):
    """What is in one database."""

    extensions: Mapping[str, str] = {}
    available: frozenset[str] | None = None
    schemas: Mapping[str, SchemaNow] = {}
    # (owner, schema or "", r | S | f) -> privileges that new objects get.
    defaults: Mapping[tuple[str, str, str], Acl] = {}
    lookup: FunctionNow | None = None


def name(text: str) -> str:
    """An identifier, quoted."""
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string constant, quoted whatever standard_conforming_strings says."""
    quoted = "'" + text.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in text else quoted


def _plain(sql: str, *, alone: bool = False) -> Statement:
    return Statement(sql, sql, alone)


# --- what all databases share ---------------------------------------------------------------------------------------


def server_problems(want: Wanted, now: ServerNow) -> list[str]:
    """References to roles that neither exist nor are to be made."""
    known = {*now.roles, *(role.name for role in want.roles)}
    found = []
    for role in want.roles:
        found += [
            f"role {role.name} is to be a member of {group}, which does not exist; add that role or correct the name"
            for group in role.member_of
            if group not in known
        ]
    for database in want.databases:
        users = {"owner": database.owner}
        users |= {f"owner of schema {schema.name}": schema.owner for schema in database.schemas}
        users |= {f"grant {number + 1}": grant.role for number, grant in enumerate(database.grants)}
        if database.auth_lookup:
            users["auth_lookup"] = database.auth_lookup.role
        found += [
            f"database {database.name}: role {user} ({what}) does not exist; add it to the roles or correct the name"
            for what, user in users.items()
            if user not in known
        ]
    return found


def server_notes(want: Wanted, now: ServerNow) -> list[str]:
    """What differs and is not changed, because it would take a dump and a restore."""
    notes = []
    for database in want.databases:
        there = now.databases.get(database.name)
        if there and there.encoding.upper().replace("-", "") != database.encoding.upper().replace("-", ""):
            notes.append(f"database {database.name} has encoding {there.encoding}, not {database.encoding}; it stays")
        if there and database.locale and there.locale != database.locale:
            notes.append(f"database {database.name} has locale {there.locale}, not {database.locale}; it stays")
    return notes


def role_statements(want: Wanted, now: ServerNow, salt: Callable[[], bytes]) -> list[Statement]:
    """Attributes and passwords first, for all roles; memberships afterwards, for they may refer to each other."""
    result = []
    for role in want.roles:
        result += _attributes(role, now.roles.get(role.name))
    for role in want.roles:
        result += _password(role, now.roles.get(role.name), salt)
        result += _settings(role, now.roles.get(role.name, RoleNow()))
        result += _memberships(role, now.roles.get(role.name, RoleNow()), now)
    return result


def _attributes(role: Role, there: RoleNow | None) -> list[Statement]:
    pairs = {
        "SUPERUSER": (False, there and there.superuser),
        "CREATEROLE": (False, there and there.createrole),
        "CREATEDB": (False, there and there.createdb),
        "LOGIN": (role.login, there and there.login),
        "REPLICATION": (role.replication, there and there.replication),
        "BYPASSRLS": (role.bypassrls, there and there.bypassrls),
        "INHERIT": (role.inherit, there and there.inherit),
    }
    words = [word if wish else f"NO{word}" for word, (wish, current) in pairs.items() if wish != current]
    if there is None or there.connection_limit != role.connection_limit:
        words.append(f"CONNECTION LIMIT {role.connection_limit}")
    if not words:
        return []
    return [_plain(f"{'ALTER' if there else 'CREATE'} ROLE {name(role.name)} {' '.join(words)}")]


def _password(role: Role, there: RoleNow | None, salt: Callable[[], bytes]) -> list[Statement]:
    if role.password is None or scram.matches(role.password, there.verifier if there else None):
        return []
    head = f"ALTER ROLE {name(role.name)} PASSWORD "
    return [Statement(head + literal(scram.verifier(role.password, salt())), head + MASK)]


def _settings(role: Role, there: RoleNow) -> list[Statement]:
    def current(key: str, wish: SettingValue) -> SettingValue | None:
        text = there.settings.get(key)
        return list_items(text) if isinstance(wish, tuple) and text is not None else text

    head = f"ALTER ROLE {name(role.name)}"
    result = []
    for key, wish in sorted(role.settings.items()):
        if current(key, wish) != wish:
            words = ", ".join(literal(part) for part in ((wish,) if isinstance(wish, str) else wish))
            result.append(_plain(f"{head} SET {_setting_name(key)} TO {words or literal('')}"))
    gone = sorted(set(there.settings) - set(role.settings))
    return result + [_plain(f"{head} RESET {_setting_name(key)}") for key in gone]


def _setting_name(key: str) -> str:
    return ".".join(name(part) for part in key.split("."))


def _memberships(role: Role, there: RoleNow, now: ServerNow) -> list[Statement]:
    member = name(role.name)
    have = {one.role for one in there.member_of}
    result = [_plain(f"GRANT {name(group)} TO {member}") for group in role.member_of if group not in have]
    for one in there.member_of:
        by = ""
        if now.version >= GRANTED_BY_SINCE and one.grantor != now.superuser:
            by = f" GRANTED BY {name(one.grantor)}"
        if one.role not in role.member_of:
            result.append(_plain(f"REVOKE {name(one.role)} FROM {member}{by}"))
        elif one.admin:
            result.append(_plain(f"REVOKE ADMIN OPTION FOR {name(one.role)} FROM {member}{by}"))
    return result


def database_statements(want: Wanted, now: ServerNow) -> list[Statement]:
    """Databases, their owners, and who may connect."""
    result = []
    for database in want.databases:
        there = now.databases.get(database.name)
        label = name(database.name)
        if there is None:
            result.append(_plain(_create_database(database), alone=True))
            there = DatabaseNow(database.owner, acl=frozenset({(PUBLIC, "CONNECT"), (PUBLIC, "TEMPORARY")}))
        elif there.owner != database.owner:
            result.append(_plain(f"ALTER DATABASE {label} OWNER TO {name(database.owner)}"))
        if not database.public_connect:
            open_to_all = sorted(word for who, word in there.acl if who == PUBLIC)
            if open_to_all:
                result.append(_plain(f"REVOKE {', '.join(open_to_all)} ON DATABASE {label} FROM PUBLIC"))
        for user, words in _database_grants(database).items():
            missing = sorted(word for word in words if (user, word) not in there.acl and user != database.owner)
            if missing:
                result.append(_plain(f"GRANT {', '.join(missing)} ON DATABASE {label} TO {name(user)}"))
    return result


def _create_database(database: Database) -> str:
    parts = [
        f"CREATE DATABASE {name(database.name)} OWNER {name(database.owner)}",
        f"ENCODING {literal(database.encoding)} TEMPLATE template0",
    ]
    if database.locale:
        parts.append(f"LOCALE {literal(database.locale)}")
    return " ".join(parts)


def _database_grants(database: Database) -> dict[str, set[str]]:
    """A role with rights in a schema may connect: without that they would be empty."""
    grants: dict[str, set[str]] = {}
    for grant in database.grants:
        words = {word.upper() for word in grant.database}
        grants.setdefault(grant.role, set()).update(words, {"CONNECT"} if grant.schema else set())
    if database.auth_lookup:
        grants.setdefault(database.auth_lookup.role, set()).add("CONNECT")
    return grants


# --- inside a database ----------------------------------------------------------------------------------------------


def inside_problems(database: Database, inside: InsideNow) -> list[str]:
    """Extensions that are not on the host's disk."""
    if inside.available is None:
        return []
    return [
        f"database {database.name}: extension {one.name} is not installed on this host; "
        "add its package to the role's packages or correct the name"
        for one in database.extensions
        if one.name not in inside.available
    ]


def inside_statements(database: Database, inside: InsideNow, superuser: str) -> list[Statement]:
    """Schemas, extensions, pgbouncer's function and the grants, in an order that always works."""
    result = _schemas(database, inside)
    for extension in database.extensions:
        if extension.name not in inside.extensions:
            result.append(_plain(f"CREATE EXTENSION {name(extension.name)} SCHEMA {name(extension.schema)}"))
    if database.auth_lookup:
        result += _lookup(database.auth_lookup, inside, superuser)
    owners = {schema.name: schema.owner for schema in database.schemas}
    for owner in dict.fromkeys(owners.values()):
        # A function is executable by everybody, unless its owner's defaults say otherwise.
        if (PUBLIC, "EXECUTE") in inside.defaults.get((owner, "", "f"), {(PUBLIC, "EXECUTE")}):
            result.append(
                _plain(f"ALTER DEFAULT PRIVILEGES FOR ROLE {name(owner)} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
            )
    for grant in database.grants:
        if grant.schema is not None:
            result += _schema_grant(grant, grant.schema, owners[grant.schema], inside)
    return result


def _schemas(database: Database, inside: InsideNow) -> list[Statement]:
    result = []
    public = inside.schemas.get("public")
    if public and (PUBLIC, "CREATE") in public.acl:
        result.append(_plain("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    for schema in database.schemas:
        there = inside.schemas.get(schema.name)
        if there is None:
            result.append(_plain(f"CREATE SCHEMA {name(schema.name)} AUTHORIZATION {name(schema.owner)}"))
        elif there.owner != schema.owner:
            result.append(_plain(f"ALTER SCHEMA {name(schema.name)} OWNER TO {name(schema.owner)}"))
    return result


def _schema_grant(grant: Grant, schema: str, owner: str, inside: InsideNow) -> list[Statement]:
    there = inside.schemas.get(schema, SchemaNow(owner))
    user, place = name(grant.role), name(schema)
    if grant.role == owner:
        return []
    result = []
    wish = ["USAGE", "CREATE"] if grant.create else ["USAGE"]
    missing = [word for word in wish if (grant.role, word) not in there.acl]
    if missing:
        result.append(_plain(f"GRANT {', '.join(missing)} ON SCHEMA {place} TO {user}"))
    for kind, letter, words, objects in (
        ("TABLES", "r", [word.upper() for word in grant.tables], there.tables),
        ("SEQUENCES", "S", [word.upper() for word in grant.sequences], there.sequences),
        ("FUNCTIONS", "f", ["EXECUTE"] if grant.functions else [], there.functions),
    ):
        lacking = [word for word in words if any((grant.role, word) not in acl for acl in objects)]
        if lacking:
            result.append(_plain(f"GRANT {', '.join(lacking)} ON ALL {kind} IN SCHEMA {place} TO {user}"))
        default = inside.defaults.get((owner, schema, letter), frozenset())
        later = [word for word in words if (grant.role, word) not in default] if grant.default_for_owner else []
        if later:
            head = f"ALTER DEFAULT PRIVILEGES FOR ROLE {name(owner)} IN SCHEMA {place}"
            result.append(_plain(f"{head} GRANT {', '.join(later)} ON {kind} TO {user}"))
    return result


def _lookup(wish: AuthLookup, inside: InsideNow, superuser: str) -> list[Statement]:
    place, user = name(wish.schema), name(wish.role)
    function = f"{place}.{name(LOOKUP)}(text)"
    result = []
    schema = inside.schemas.get(wish.schema)
    if schema is None:
        result.append(_plain(f"CREATE SCHEMA {place} AUTHORIZATION {name(superuser)}"))
    elif schema.owner != superuser:
        result.append(_plain(f"ALTER SCHEMA {place} OWNER TO {name(superuser)}"))
    # Who may make objects beside the function could make one that pgbouncer would call instead.
    for who in sorted({who for who, _word in schema.acl} - {superuser, wish.role, schema.owner} if schema else ()):
        result.append(_plain(f"REVOKE ALL ON SCHEMA {place} FROM {name(who) if who else 'PUBLIC'}"))
    if schema and (wish.role, "CREATE") in schema.acl:
        result.append(_plain(f"REVOKE CREATE ON SCHEMA {place} FROM {user}"))
    there = inside.lookup
    if there is None or (there.body, there.definer, there.config) != (LOOKUP_BODY, True, LOOKUP_CONFIG):
        result.append(
            _plain(
                f"CREATE OR REPLACE FUNCTION {place}.{name(LOOKUP)}(i_username text, OUT uname text, OUT phash text) "
                "RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog, pg_temp "
                f"AS $lookup${LOOKUP_BODY}$lookup$"
            )
        )
    if there and there.owner != superuser:
        result.append(_plain(f"ALTER FUNCTION {function} OWNER TO {name(superuser)}"))
    callers = {who for who, _word in there.acl} - {superuser} if there else {PUBLIC}
    for caller in sorted(callers - {wish.role}):
        who = name(caller) if caller else "PUBLIC"
        result.append(_plain(f"REVOKE EXECUTE ON FUNCTION {function} FROM {who}"))
    if wish.role not in callers:
        result.append(_plain(f"GRANT EXECUTE ON FUNCTION {function} TO {user}"))
    if schema is None or (wish.role, "USAGE") not in schema.acl:
        result.append(_plain(f"GRANT USAGE ON SCHEMA {place} TO {user}"))
    return result
