"""One table or one database of a moment, brought back under a new name. Managed by Ansible (role backup)."""

from __future__ import annotations

import argparse
import json
import re
import sys

from backup_host import Settings, Trouble, is_primary, run
from backup_pgbackrest import info
from backup_place import Place, scratch
from backup_session import Session, literal
from backup_sets import Target, sized
from backup_source import COUNTS, DATABASES

NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
# Also one to which nobody may connect.
DATABASE = "select oid from pg_database where datname = {name}"
SCHEMA = "select oid from pg_namespace where nspname = {name}"
# Of a table that stands alone, neither partitioned nor inherited.
ALONE = """select relkind = 'r' and not exists (select from pg_inherits where pg_class.oid in (inhrelid, inhparent))
    from pg_class where oid = {table}::regclass"""
# What of a table refers to others: its copy must neither depend on the present ones nor act on them.
TIES = """select coalesce(json_agg(json_build_array(what, statement)), '[]') from (
    select format('foreign key %I', conname), format('alter table %s drop constraint %I', conrelid::regclass, conname)
    from pg_constraint where conrelid = {table}::regclass and contype = 'f' and confrelid <> conrelid
    union all select format('trigger %I', tgname), format('drop trigger %I on %s', tgname, tgrelid::regclass)
    from pg_trigger where tgrelid = {table}::regclass and not tgisinternal) as tie (what, statement)"""
STATISTICS = r"""select format('alter statistics %s.%I set schema "{into}"', stxnamespace::regnamespace, stxname)
    from pg_statistic_ext where stxrelid = {table}::regclass \gexec"""


def unused(port: str, into: str) -> None:
    with Session("postgres", port) as live:
        if live.ask(DATABASE.format(name=literal(into))):
            raise Trouble(f"There is a database {into} already: say another name. Nothing was changed.")


def refuse(told: Settings, asked: argparse.Namespace) -> None:
    """What stands in the way, before anything begins."""
    if not is_primary(told):
        raise Trouble("This host is not the primary. Nothing was changed.")
    if not NAME.fullmatch(asked.into):
        raise Trouble(f"{asked.into!r} is no new name: small letters, digits and _, 63 at most. Nothing was changed.")
    port = str(told.postgres_port)
    if not asked.table:
        unused(port, asked.into)
        return
    if asked.into.startswith("pg_"):
        raise Trouble(f"PostgreSQL keeps names such as {asked.into} for itself: say another name. Nothing was changed.")
    with Session("postgres", port) as live:
        there = json.loads(live.ask(DATABASES))
    if asked.database not in there:
        raise Trouble(f"There is no database {asked.database} to bring a table back into. Nothing was changed.")
    with Session(asked.database, port) as live:
        if live.ask(SCHEMA.format(name=literal(asked.into))):
            raise Trouble(f"There is a schema {asked.into} already: say another name. Nothing was changed.")


def bring_back(told: Settings, asked: argparse.Namespace, target: Target) -> None:
    with scratch(told, sized(info(told, target.repo)["backup"], target)) as place:
        place.restore(target)
        place.recover()
        with place.session("postgres") as there:
            if asked.database not in json.loads(there.ask(DATABASES)):
                raise Trouble(f"At that moment there was no database {asked.database}. Nothing was changed.")
            if not asked.table and asked.into != asked.database:
                # One of that time may have had the name.
                there.ask(f'drop database if exists "{asked.into}"')
                rename = f"""'alter database %I rename to "{asked.into}"', {literal(asked.database)}"""
                there.ask(f"select format({rename}) \\gexec")
        lines = [*(moved(place, asked) if asked.table else []), *put(told, place, asked)]
    sys.stdout.write("\n".join(lines) + "\n")


def moved(place: Place, asked: argparse.Namespace) -> list[str]:
    """Into a schema of its own, still in the scratch: indexes and sequences come along, and no name is taken."""
    with place.session(asked.database) as there:
        table = there.ask(f"select to_regclass({literal(asked.table)})::oid")
        if not table:
            raise Trouble(f"At that moment there was no table {asked.table} in {asked.database}. Nothing was changed.")
        if there.ask(ALONE.format(table=table)) != "t":
            raise Trouble(
                f"{asked.table} is not one plain table (a view, partitioned, or inherited): bring the whole database"
                " back, without a table. Nothing was changed."
            )
        ties = json.loads(there.ask(TIES.format(table=table)))
        if there.ask(SCHEMA.format(name=literal(asked.into))):
            there.ask(f'alter schema "{asked.into}" rename to of_that_time')
        there.ask(f'create schema "{asked.into}"')
        there.ask(STATISTICS.format(table=table, into=asked.into))
        for _, statement in ties:
            there.ask(statement)
        there.ask(f"""select format('alter table %s set schema "{asked.into}"', {table}::regclass) \\gexec""")
    return [f"left out: {what}" for what, _ in ties]


def put(told: Settings, place: Place, asked: argparse.Namespace) -> list[str]:
    """All of it or nothing, into the primary."""
    port, dump = str(told.postgres_port), place.path / "dump"
    restore = [f"{told.binaries}/pg_restore", "-p", port, "--exit-on-error"]
    if asked.table:
        where, only = asked.database, f" and nspname = {literal(asked.into)}"
        place.program("pg_dump", "-Fc", "-f", dump, "-n", asked.into, "--no-privileges", "--no-publications", where)
        run(*restore, "--single-transaction", "-d", where, str(dump))
    else:
        where, only = asked.into, ""
        place.program("pg_dump", "-Fc", "-f", dump, where)
        # Hours may have gone by since it was looked for.
        unused(port, where)
        try:
            run(*restore, "--create", "-d", "postgres", str(dump))
        except BaseException:
            # It was not there before. Its index may still be in the making.
            run(f"{told.binaries}/dropdb", "-p", port, "--force", "--if-exists", where)
            raise
    with Session(where, port) as live, place.session(where) as there:
        back, wanted = (json.loads(one.ask(COUNTS + only)) for one in (live, there))
    if back != wanted:
        raise Trouble(
            f"{asked.into} is there, but its rows are {back} instead of {wanted}: look at it before you use it."
        )
    return [f"{name} in {where} has {count} rows" for name, count in sorted(back.items())]
