"""The migrations of the reference app: order, checksums, and the files themselves."""

from __future__ import annotations

import re

import pytest
from app import migrate
from app.migrate import Applied, Migration, MigrationError, ordered, pending

A, B = Migration(1, "0001_a.sql", "SELECT 1"), Migration(2, "0002_b.sql", "SELECT 2")


def row(migration: Migration) -> Applied:
    return Applied(migration.name, migration.checksum)


def test_ordered() -> None:
    assert ordered({"0002_b.sql": B.sql, "0001_a.sql": A.sql}) == [A, B]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"1_a.sql": "x"}, "is not named like 0001_what_it_does.sql"),
        ({"0001_A.sql": "x"}, "is not named like"),
        ({"0001_a.sql": " \n"}, "is empty"),
        ({"0001_a.sql": "x", "0001_b.sql": "x"}, "0001_b.sql has a number that another file has"),
        ({"0001_a.sql": "x", "0003_c.sql": "x"}, "0002 is missing before 0003_c.sql"),
        ({"0000_a.sql": "x"}, "has a number that another file has"),
    ],
)
def test_files_that_are_refused(files: dict[str, str], message: str) -> None:
    with pytest.raises(MigrationError, match=re.escape(message)):
        ordered(files)


@pytest.mark.parametrize(
    ("applied", "left"),
    [({}, [A, B]), ({1: row(A)}, [B]), ({1: row(A), 2: row(B)}, []), ({1: row(A)._replace(name="0001_z.sql")}, [B])],
)
def test_pending(applied: dict[int, Applied], left: list[Migration]) -> None:
    assert pending([A, B], applied) == left


@pytest.mark.parametrize(
    ("applied", "message"),
    [
        ({1: Applied("0001_a.sql", "0")}, "0001_a.sql has changed since it was applied"),
        ({1: row(A), 2: row(B), 3: Applied("0003_c.sql", "0")}, "0003_c.sql was applied, but is not among the files"),
        ({2: row(B)}, "0001_a.sql was left out, but 0002 is applied"),
    ],
)
def test_a_history_that_is_refused(applied: dict[int, Applied], message: str) -> None:
    with pytest.raises(MigrationError, match=re.escape(message)):
        pending([A, B], applied)


def test_the_files_of_the_app() -> None:
    migrations = migrate.read(migrate.HERE)
    assert len(migrations) >= 6
    for migration in migrations:
        # A function with its owner's rights and the caller's search_path is a hole.
        for head in re.findall(r"CREATE (?:OR REPLACE )?FUNCTION.*?AS \$\$", migration.sql, re.DOTALL):
            assert "SET search_path TO pg_catalog, pg_temp" in head, (migration.name, head)
