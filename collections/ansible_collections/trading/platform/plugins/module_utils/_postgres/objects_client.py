# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speaks with the local PostgreSQL server as its superuser, over the socket. Raises; nothing exits here."""

from __future__ import annotations

import os
import pwd
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ansible_collections.trading.platform.plugins.module_utils._postgres import objects, scram
from ansible_collections.trading.platform.plugins.module_utils._postgres.objects import (
    DatabaseNow,
    FunctionNow,
    InsideNow,
    Membership,
    RoleNow,
    SchemaNow,
    ServerNow,
    Statement,
)
from ansible_collections.trading.platform.plugins.module_utils._postgres.wanted import Database, Wanted

# One run at a time in a cluster: the key of an advisory lock ("tradobjs").
LOCK_KEY = 0x74726164_6F626A73
ROUNDS = 3
SETTLE_SECONDS = 0.5
# A verifier is no password, but it has no business in a log either.
SILENCE = """
SET LOCAL log_statement = 'none'; SET LOCAL log_min_duration_statement = -1;
SET LOCAL log_min_error_statement = 'panic'; SET LOCAL log_min_duration_sample = -1;
SET LOCAL log_transaction_sample_rate = 0;
SET LOCAL pgaudit.log = 'none'; SET LOCAL pg_stat_statements.track = 'none'
"""
SPEAK = """
RESET log_statement; RESET log_min_duration_statement; RESET log_min_error_statement;
RESET log_min_duration_sample; RESET log_transaction_sample_rate; RESET pgaudit.log; RESET pg_stat_statements.track
"""

ROLES = """
SELECT r.oid, r.rolname, r.rolcanlogin, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls,
       r.rolinherit, r.rolconnlimit, r.rolpassword,
       coalesce((SELECT s.setconfig FROM pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = 0), '{}')
FROM pg_authid r
"""
MEMBERSHIPS = """
SELECT m.rolname, r.rolname, coalesce(g.rolname, ''), a.admin_option
FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles r ON r.oid = a.roleid
     LEFT JOIN pg_roles g ON g.oid = a.grantor
ORDER BY 1, 2, 3
"""
# Turns an ACL into an array of 'PRIVILEGE grantee', with nothing after the blank for PUBLIC.
_ACL = """ARRAY(SELECT x.privilege_type || ' ' || coalesce(g.rolname, '')
          FROM aclexplode({acl}) x LEFT JOIN pg_roles g ON g.oid = x.grantee
          WHERE x.grantee = 0 OR g.oid IS NOT NULL)"""
DATABASES = f"""
SELECT d.datname, o.rolname, pg_encoding_to_char(d.encoding), d.datcollate,
       {_ACL.format(acl="coalesce(d.datacl, acldefault('d', d.datdba))")}
FROM pg_database d JOIN pg_roles o ON o.oid = d.datdba WHERE NOT d.datistemplate
"""  # noqa: S608
SCHEMAS = f"""
SELECT n.nspname, o.rolname, {_ACL.format(acl="coalesce(n.nspacl, acldefault('n', n.nspowner))")}
FROM pg_namespace n JOIN pg_roles o ON o.oid = n.nspowner
"""  # noqa: S608
_RELATION_ACL = (
    "coalesce(c.relacl, acldefault(CAST(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END AS \"char\"), c.relowner))"
)
RELATIONS = f"""
SELECT n.nspname, CASE c.relkind WHEN 'S' THEN 'S' ELSE 'r' END,
       {_ACL.format(acl=_RELATION_ACL)}
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S') AND n.nspname = ANY(%s)
UNION ALL
SELECT n.nspname, 'f', {_ACL.format(acl="coalesce(p.proacl, acldefault('f', p.proowner))")}
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prokind IN ('f', 'a', 'w') AND n.nspname = ANY(%s)
"""  # noqa: S608
DEFAULTS = f"""
SELECT o.rolname, coalesce(n.nspname, ''), d.defaclobjtype, {_ACL.format(acl="d.defaclacl")}
FROM pg_default_acl d JOIN pg_roles o ON o.oid = d.defaclrole LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
"""  # noqa: S608
FUNCTION = f"""
SELECT o.rolname, p.prosrc, p.prosecdef, coalesce(p.proconfig, '{{}}'),
       {_ACL.format(acl="coalesce(p.proacl, acldefault('f', p.proowner))")}
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles o ON o.oid = p.proowner
WHERE n.nspname = %s AND p.proname = %s AND p.proargtypes = ARRAY['text'::regtype::oid]::oidvector
"""  # noqa: S608


class ObjectsError(Exception):
    """What failed, where, and what to do."""


class AbsentError(ObjectsError):
    """There is no server, or nothing to speak with it."""


class Outcome(NamedTuple):
    """What a run found and did."""

    primary: bool
    statements: list[str]
    databases: list[str]


class Server:
    """The server of this host."""

    def __init__(self, user: str, socket_directory: str, port: int, warn: Callable[[str], None]) -> None:
        self._user = user
        self._socket_directory = socket_directory
        self._port = port
        self._warn = warn

    def ensure(self, want: Wanted, *, check_mode: bool, wait: int, commit_wait: int) -> Outcome:
        """Make it so, or say what would be done."""
        with self._connected("postgres", wait) as shared:
            if shared.value("SELECT pg_is_in_recovery()"):
                return Outcome(False, [], [])
            if not check_mode:
                shared.lock(wait)
            done: list[Statement] = []
            for _round in range(ROUNDS):
                statements = self._round(shared, want, check_mode=check_mode, commit_wait=commit_wait)
                done += statements
                if check_mode or not statements:
                    break
            else:
                left = "; ".join(one.shown for one in statements)
                raise ObjectsError(
                    f"After {ROUNDS} rounds there is still something to do: {left}. "
                    "Two entries of the data contradict each other, or something else changes the server; look for it."
                )
            return Outcome(True, [one.shown for one in done], [one.name for one in want.databases])

    def _round(self, shared: Connection, want: Wanted, *, check_mode: bool, commit_wait: int) -> list[Statement]:
        """Everything about the server, then each database over one connection of its own."""
        now = shared.server()
        problems = objects.server_problems(want, now)
        if problems:
            raise ObjectsError(f"{'; '.join(problems)}. Nothing was changed.")
        for note in objects.server_notes(want, now):
            self._warn(note)
        done = objects.role_statements(want, now, lambda: secrets.token_bytes(scram.SALT_BYTES))
        done += objects.database_statements(want, now)
        if not check_mode:
            shared.apply(done, commit_wait)
        for database in want.databases:
            done += self._inside(database, now, check_mode=check_mode, commit_wait=commit_wait)
        return done

    def _inside(self, database: Database, now: ServerNow, *, check_mode: bool, commit_wait: int) -> list[Statement]:
        if check_mode and database.name not in now.databases:
            return objects.inside_statements(database, InsideNow(), now.superuser)
        with self._connected(database.name, 0) as connection:
            inside = connection.inside(database)
            problems = objects.inside_problems(database, inside)
            if problems:
                raise ObjectsError("; ".join(problems) + ".")
            statements = objects.inside_statements(database, inside, now.superuser)
            if not check_mode:
                connection.apply(statements, commit_wait)
            return statements

    @contextmanager
    def _connected(self, database: str, wait: int) -> Iterator[Connection]:
        try:
            import psycopg2  # noqa: PLC0415
        except ImportError:
            raise AbsentError(
                "Python on this host has no psycopg2; install python3-psycopg2 before this task."
            ) from None
        deadline = time.monotonic() + wait
        while True:
            try:
                with _effective(self._user):
                    raw = psycopg2.connect(
                        host=self._socket_directory,
                        port=self._port,
                        user=self._user,
                        dbname=database,
                        connect_timeout=10,
                        application_name="postgres_objects",
                        options="-c search_path=pg_catalog -c client_encoding=UTF8",
                    )
                break
            except psycopg2.OperationalError as error:
                if time.monotonic() >= deadline:
                    raise self._refused(database, " ".join(str(error).split()).rstrip(".?")) from None
                time.sleep(SETTLE_SECONDS)
        raw.autocommit = True
        try:
            yield Connection(raw, database, self._warn)
        finally:
            raw.close()

    def _refused(self, database: str, text: str) -> ObjectsError:
        where = f"PostgreSQL in {self._socket_directory}, port {self._port}, database {database}"
        missing = "No such file" in text or "Connection refused" in text
        hint = (
            "Start it (systemctl status patroni), then run again."
            if missing
            else f"The server must be up, and pg_hba.conf needs a line 'local all {self._user} peer'."
        )
        return (AbsentError if missing else ObjectsError)(f"{where} does not answer: {text}. {hint}")


class Connection:
    """One connection to one database."""

    def __init__(self, raw: Any, database: str, warn: Callable[[str], None]) -> None:
        self._raw = raw
        self._database = database
        self._warn = warn

    def lock(self, wait: int) -> None:
        """Wait for another run of this module; the lock goes with the connection, whatever happens to us."""
        deadline = time.monotonic() + max(wait, 1)
        while not self._rows("SELECT pg_try_advisory_lock(%s)", LOCK_KEY)[0][0]:
            if time.monotonic() >= deadline:
                raise ObjectsError(
                    f"Another run of this module has been at work on this server for over {wait} s. "
                    "Look for application_name postgres_objects in pg_stat_activity, wait for it, then run again."
                )
            time.sleep(SETTLE_SECONDS)

    def value(self, sql: str) -> Any:
        return self._rows(sql)[0][0]

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._raw.cursor() as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall())

    def server(self) -> ServerNow:
        """The catalog that all databases share."""
        memberships: dict[str, list[Membership]] = {}
        for member, group, grantor, admin in self._rows(MEMBERSHIPS):
            memberships.setdefault(member, []).append(Membership(group, grantor, admin))
        roles, superuser = {}, ""
        for oid, label, *attributes, verifier, settings in self._rows(ROLES):
            # The bootstrap superuser has a fixed number, whatever its name.
            superuser = label if oid == 10 else superuser  # noqa: PLR2004
            pairs = dict(text.split("=", 1) for text in settings)
            roles[label] = RoleNow._make([*attributes, verifier, pairs, tuple(memberships.get(label, ()))])
        databases = {
            label: DatabaseNow(owner, encoding, locale, _acl(acl))
            for label, owner, encoding, locale, acl in self._rows(DATABASES)
        }
        return ServerNow(self._raw.server_version // 10000, superuser, roles, databases)

    def inside(self, database: Database) -> InsideNow:
        """The catalog of this database, as far as it is managed."""
        managed = [schema.name for schema in database.schemas]
        objects_of: dict[tuple[str, str], list[objects.Acl]] = {}
        for schema, kind, acl in self._rows(RELATIONS, managed, managed):
            objects_of.setdefault((schema, kind), []).append(_acl(acl))
        schemas = {
            label: SchemaNow(owner, _acl(acl), *(tuple(objects_of.get((label, kind), ())) for kind in ("r", "S", "f")))
            for label, owner, acl in self._rows(SCHEMAS)
        }
        lookup = None
        if database.auth_lookup:
            for owner, body, definer, config, acl in self._rows(FUNCTION, database.auth_lookup.schema, objects.LOOKUP):
                lookup = FunctionNow(owner, body, definer, tuple(config), _acl(acl))
        return InsideNow(
            dict(
                self._rows(
                    "SELECT e.extname, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace"
                )
            ),
            frozenset(row[0] for row in self._rows("SELECT name FROM pg_available_extensions")),
            schemas,
            {(owner, schema, kind): _acl(acl) for owner, schema, kind, acl in self._rows(DEFAULTS)},
            lookup,
        )

    def apply(self, statements: Sequence[Statement], commit_wait: int) -> None:
        """Statements in one transaction, but for those that refuse to be in one."""
        block: list[Statement] = []
        for one in statements:
            if one.alone:
                self._transaction(block, commit_wait)
                block = []
                self._one(one)
            else:
                block.append(one)
        self._transaction(block, commit_wait)

    def _transaction(self, statements: Sequence[Statement], commit_wait: int) -> None:
        if not statements:
            return
        self._send("BEGIN")
        for one in statements:
            self._one(one)
        self._commit(commit_wait)

    def _one(self, one: Statement) -> None:
        import psycopg2  # noqa: PLC0415

        try:
            if one.secret:
                self._send(SILENCE)
            self._send(one.sql)
            if one.secret:
                self._send(SPEAK)
        except psycopg2.Error as error:
            text = error.diag.message_primary or type(error).__name__
            raise ObjectsError(
                f"Database {self._database} refused: {one.shown}: {text}. "
                "What came before in this transaction is undone; correct the cause and run again."
            ) from None

    def _commit(self, wait: int) -> None:
        """A commit waits for the synchronous replica. If there is none, say so instead of waiting for ever."""
        timer = threading.Timer(wait, self._raw.cancel)
        timer.start()
        try:
            self._send("COMMIT")
        finally:
            timer.cancel()
        if any("synchronous replication" in str(notice) for notice in self._raw.notices):
            del self._raw.notices[:]
            self._warn(
                f"Database {self._database}: committed here, but no synchronous replica confirmed it within {wait} s. "
                "A failover now would undo it; bring a replica back and run again."
            )

    def _send(self, sql: str) -> None:
        with self._raw.cursor() as cursor:
            cursor.execute(sql)


def _acl(pairs: Sequence[str]) -> objects.Acl:
    split = (pair.partition(" ") for pair in pairs)
    return frozenset((grantee, privilege) for privilege, _blank, grantee in split)


@contextmanager
def _effective(user: str) -> Iterator[None]:
    """PostgreSQL's peer authentication asks who opened the socket: be that OS user for as long as that takes."""
    if os.geteuid() != 0:
        yield
        return
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise AbsentError(f"This host has no OS user {user}; install PostgreSQL before this task.") from None
    group = os.getegid()
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
