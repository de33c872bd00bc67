#!/usr/bin/env python3
"""Applies numbered SQL files to a database, each in one transaction, each once.

    PGHOST=127.0.0.1 PGPORT=6432 PGUSER=trading_owner PGPASSWORD=... PGDATABASE=trading migrate.py [DIRECTORY]

The connection comes from libpq's environment variables, or from DATABASE_URL. It may lead through pgbouncer in
transaction mode: lock, check and file are in one transaction. A file that was applied must not change afterwards; the
next change is a new file. Exits with 0 when the database is up to date, 1 on a problem, 2 when files and database
do not agree.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent / "migrations"
FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
# Key of the advisory lock ("migrate").
LOCK_KEY = 0x6D696772617465
HISTORY = """
CREATE SCHEMA IF NOT EXISTS migrations;
CREATE TABLE IF NOT EXISTS migrations.schema_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationError(Exception):
    """Files and database do not agree; what, and what to do."""


class Migration(NamedTuple):
    """A file."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


class Applied(NamedTuple):
    """A row of the history."""

    name: str
    checksum: str


# --- pure -----------------------------------------------------------------------------------------------------------


def ordered(files: Mapping[str, str]) -> list[Migration]:
    """File names and contents as migrations, in order and without a gap."""
    migrations = []
    for filename, sql in files.items():
        match = FILE.fullmatch(filename)
        if not match:
            raise MigrationError(f"{filename} is not named like 0001_what_it_does.sql; rename it")
        if not sql.strip():
            raise MigrationError(f"{filename} is empty; write it or remove it")
        migrations.append(Migration(int(match[1]), filename, sql))
    migrations.sort()
    for expected, migration in enumerate(migrations, start=1):
        if migration.number < expected:
            raise MigrationError(f"{migration.name} has a number that another file has, too; renumber the newer one")
        if migration.number > expected:
            raise MigrationError(f"{expected:04d} is missing before {migration.name}; bring it back or renumber")
    return migrations


def pending(migrations: Sequence[Migration], applied: Mapping[int, Applied]) -> list[Migration]:
    """What is left to apply; refuses a history that the files do not tell."""
    known = {migration.number: migration for migration in migrations}
    for number, row in sorted(applied.items()):
        migration = known.get(number)
        if migration is None:
            raise MigrationError(f"{row.name} was applied, but is not among the files; is this an older release?")
        if migration.checksum != row.checksum:
            raise MigrationError(
                f"{migration.name} has changed since it was applied as {row.name}; "
                "put it back as it was and write a new file for the change"
            )
    left = [migration for migration in migrations if migration.number not in applied]
    latest = max(applied, default=0)
    for migration in left:
        if migration.number < latest:
            raise MigrationError(
                f"{migration.name} was left out, but {latest:04d} is applied; restore the history by hand"
            )
    return left


# --- I/O ------------------------------------------------------------------------------------------------------------


def read(directory: Path) -> list[Migration]:
    """The migrations of a directory."""
    if not directory.is_dir():
        raise MigrationError(f"{directory} is no directory; give the one with the migrations")
    migrations = ordered({path.name: path.read_text() for path in directory.glob("*.sql")})
    if not migrations:
        raise MigrationError(f"{directory} holds no .sql file; give the directory with the migrations")
    return migrations


def history(cursor: Any) -> dict[int, Applied]:
    """What the database has."""
    cursor.execute("SELECT to_regclass('migrations.schema_migrations')")
    if cursor.fetchone()[0] is None:
        return {}
    cursor.execute("SELECT number, name, checksum FROM migrations.schema_migrations")
    return {number: Applied(name, checksum) for number, name, checksum in cursor.fetchall()}


def step(connection: Any, migrations: Sequence[Migration]) -> Migration | None:
    """Apply the next file in one transaction: lock, look, apply, note. Returns it, or None if there is none left."""
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))
        left = pending(migrations, history(cursor))
        if not left:
            return None
        cursor.execute(HISTORY)
        cursor.execute(left[0].sql)
        cursor.execute(
            "INSERT INTO migrations.schema_migrations (number, name, checksum) VALUES (%s, %s, %s)",
            (left[0].number, left[0].name, left[0].checksum),
        )
        return left[0]


def _say(text: str, *, error: bool = False) -> None:
    (sys.stderr if error else sys.stdout).write(f"{text}\n")


def migrate(connection: Any, migrations: Sequence[Migration]) -> int:
    """Apply what is left, and say so."""
    count = 0
    while True:
        migration = step(connection, migrations)
        if migration is None:
            return count
        _say(f"applied {migration.name}")
        count += 1


def main(arguments: Sequence[str]) -> int:
    """Entry point."""
    import psycopg2  # noqa: PLC0415  # the pure part is tested where there is none

    parser = argparse.ArgumentParser(description="Apply numbered SQL migrations.")
    parser.add_argument("directory", nargs="?", type=Path, default=HERE)
    directory = parser.parse_args(arguments).directory
    try:
        migrations = read(directory)
        # libpq takes what the string does not say from PGHOST, PGUSER and so on.
        connection = psycopg2.connect(os.environ.get("DATABASE_URL", ""))
        try:
            count = migrate(connection, migrations)
        finally:
            connection.close()
    except MigrationError as error:
        _say(f"refused: {error}", error=True)
        return 2
    except psycopg2.Error as error:
        _say(
            f"failed: {str(error).strip()}\nThe file that failed left no trace; the ones before it stay.",
            error=True,
        )
        return 1
    _say(f"{count} applied, {len(migrations)} in all" if count else f"nothing to do, {len(migrations)} applied")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
