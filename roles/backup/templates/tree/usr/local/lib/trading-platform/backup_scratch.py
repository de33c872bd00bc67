#!/usr/bin/python3 -I
"""Restores beside production, into a scratch directory that is gone afterwards. Managed by Ansible (role backup).

drill    rehearses, where it is this host's turn: restores up to a position of the source, compares, measures, reports
table    brings one table or one database of a moment back into the primary, under a new name
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import backup_report
from backup_place import Place, Session, Target, only_one, run, scratch
from backup_run import Settings, Trouble, info, is_primary, moment, on_turn, settings, written
from backup_source import COUNTS, DATABASES, Source, archived, counted, newest, number, read, sized, timeline, waited

REPORTS = Path("/var/lib/trading-platform/backup/drills")
NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
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
STATISTICS = r"""select format('alter statistics %s.%I set schema {into}', stxnamespace::regnamespace, stxname)
    from pg_statistic_ext where stxrelid = {table}::regclass \gexec"""


# ----- pure


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# ----- drill


def drill(told: Settings) -> int:
    began = time.time()
    report: dict[str, Any] = {
        "stanza": told.stanza,
        "host": told.name,
        "start": began,
        "when": moment(began),
        "rto_max": told.drill["rto"],
        "rpo_max": told.drill["rpo"],
        "steps": [],
        "rows": [],
        "checks": [],
    }
    try:
        rehearse(told, report)
    except Trouble as trouble:
        report["message"] = str(trouble)
    report |= {"end": time.time(), "ok": not backup_report.problems(report), "verdict": backup_report.verdict(report)}
    kept(told, report)
    return 0 if report["ok"] else 1


@contextmanager
def step(report: dict[str, Any], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    report["steps"].append({"name": name, "seconds": round(time.monotonic() - began, 1)})


def rehearse(told: Settings, report: dict[str, Any]) -> None:
    size = max((one["info"]["size"] for one in info(told)["backup"]), default=0)
    with scratch(told, size) as place:
        with step(report, "read the source"):
            source = read(told)
        report |= {"source": source.kind, "lsn": source.lsn, "moment": moment(source.at)}
        with step(report, "wait for the archive"):
            report["rpo_seconds"] = round(waited(told, source), 1)
        restore(told, place, source, report)
        with step(report, "compare"), ExitStack() as opened:
            names = {one["database"] for one in told.drill["checks"]} | {name.split(": ")[0] for name in source.rows}
            rows, answers = counted(told, {name: opened.enter_context(place.session(name)) for name in names})
            report["rows"] = backup_report.compared(source.rows, rows)
            report["checks"] = backup_report.checked(told.drill["checks"], source.answers, answers)
        with step(report, "look for damage"):
            report["checks"] += undamaged(place)


def restore(told: Settings, place: Place, source: Source, report: dict[str, Any]) -> None:
    one = newest(info(told)["backup"], source.lsn)
    report |= {"set": one["label"], "set_stop": moment(one["timestamp"]["stop"]), "bytes": one["info"]["size"]}
    target = Target(one["label"], timeline(told), "lsn", source.lsn, exclusive=True)
    with step(report, "restore"):
        place.restore(target)
    # An idle cluster's last log is not archived before something is written: then the archive's end shows the same.
    behind = archived(info(told)["archive"]) <= number(source.lsn)
    with step(report, "recover"):
        place.recover("-c recovery_target_lsn=" if behind else "")
    report["rto_seconds"] = round(sum(each["seconds"] for each in report["steps"][-2:]), 1)
    history = max(place.data.glob("pg_wal/*.history")).read_text().strip()
    if number(history.splitlines()[-1].split()[1]) > number(source.lsn):
        raise Trouble(
            f"After {source.lsn} more was archived just while it recovered, so nothing can be compared. Run it again."
        )


def undamaged(place: Place) -> list[dict[str, Any]]:
    with place.session("postgres") as there:
        checksums = there.ask("show data_checksums")
    amcheck = passed(
        "tables and indexes (pg_amcheck)",
        lambda: place.program("pg_amcheck", "--all", "--install-missing", "--heapallindexed"),
    )
    place.server.control("-m", "fast", "-w", "-t", "600", "stop")
    if checksums == "off":
        return [amcheck]
    program = Path(place.told.binaries) / "pg_checksums"
    return [amcheck, passed("checksums of all pages (pg_checksums)", lambda: run(program, "--check", "-D", place.data))]


def passed(name: str, look: Callable[[], str]) -> dict[str, Any]:
    try:
        look()
    except Trouble as trouble:
        return {"name": name, "ok": False, "source": None, "restored": str(trouble)}
    return {"name": name, "ok": True, "source": None, "restored": "no damage found"}


def kept(told: Settings, report: Mapping[str, Any]) -> None:
    """For people, auditors and metrics; the oldest reports go."""
    path = REPORTS / f"{datetime.fromtimestamp(report['start'], UTC):%Y%m%dT%H%M%SZ}.json"
    written(path, json.dumps(report, indent=1) + "\n")
    written(path.with_suffix(".html"), backup_report.page(report))
    reports = sorted(REPORTS.glob("*.json"))
    for old in reports[: -told.drill["keep"]]:
        old.with_suffix(".html").unlink(missing_ok=True)
        old.unlink()
    ends = [one["end"] for one in map(json.loads, (path.read_text() for path in reports if path.exists())) if one["ok"]]
    written(Path(told.metrics).with_name("trading_drill.prom"), backup_report.metrics(report, max(ends, default=None)))
    sys.stdout.write("\n".join([*report["verdict"], f"report {path.with_suffix('.html')}"]) + "\n")


# ----- table


def refuse(told: Settings, asked: argparse.Namespace) -> None:
    """What stands in the way, before anything begins."""
    if not is_primary(told):
        raise Trouble("This host is not the primary. Nothing was changed.")
    if not NAME.fullmatch(asked.into):
        raise Trouble(f"{asked.into!r} is no new name: small letters, digits and _, 63 at most. Nothing was changed.")
    port = str(told.postgres_port)
    with Session("postgres", port) as live:
        there = set(json.loads(live.ask(DATABASES)))
    if not asked.table and asked.into in there:
        raise Trouble(f"There is a database {asked.into} already: say another name. Nothing was changed.")
    if asked.table and asked.database not in there:
        raise Trouble(f"There is no database {asked.database} to bring a table back into. Nothing was changed.")
    if asked.table:
        with Session(asked.database, port) as live:
            if live.ask(SCHEMA.format(name=literal(asked.into))):
                raise Trouble(f"There is a schema {asked.into} already: say another name. Nothing was changed.")


def bring_back(told: Settings, asked: argparse.Namespace, target: Target) -> None:
    with scratch(told, sized(info(told)["backup"], target)) as place:
        place.restore(target)
        place.recover()
        with place.session("postgres") as there:
            if asked.database not in json.loads(there.ask(DATABASES)):
                raise Trouble(f"At that moment there was no database {asked.database}. Nothing was changed.")
            if not asked.table and asked.into != asked.database:
                # One of that time may have had the name.
                there.ask(f"drop database if exists {asked.into}")
                rename = f"'alter database %I rename to {asked.into}', {literal(asked.database)}"
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
            there.ask(f"alter schema {asked.into} rename to of_that_time")
        there.ask(f"create schema {asked.into}")
        there.ask(STATISTICS.format(table=table, into=asked.into))
        for _, statement in ties:
            there.ask(statement)
        there.ask(f"select format('alter table %s set schema {asked.into}', {table}::regclass) \\gexec")
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
        try:
            run(*restore, "--create", "-d", "postgres", str(dump))
        except BaseException:
            # It was not there before.
            run(f"{told.binaries}/dropdb", "-p", port, "--if-exists", where)
            raise
    with Session(where, port) as live, place.session(where) as there:
        back, wanted = (json.loads(one.ask(COUNTS + only)) for one in (live, there))
    if back != wanted:
        raise Trouble(
            f"{asked.into} is there, but its rows are {back} instead of {wanted}: look at it before you use it."
        )
    return [f"{name} in {where} has {count} rows" for name, count in sorted(back.items())]


# ----- from outside


def interrupted(*_: object) -> None:
    for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(one, signal.SIG_IGN)
    raise SystemExit("Interrupted: what was restored is removed.")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    rehearsal = verbs.add_parser("drill")
    rehearsal.add_argument("--jitter", type=int, default=0, help="begin up to so many seconds later, where cron calls")
    rehearsal.add_argument("--here", action="store_true", help="on this host, whoever's turn it is")
    one = verbs.add_parser("table")
    one.add_argument("--database", required=True)
    one.add_argument("--table", default="", help="with its schema; the whole database without")
    one.add_argument("--into", required=True, help="the new schema of the table, or the new database")
    one.add_argument("--set", help="the set to begin with")
    one.add_argument("--timeline", type=int, help="the timeline of the moment")
    one.add_argument(
        "--type", choices=["time", "xid", "lsn", "default"], help="kind of the moment; default is the logs' end"
    )
    one.add_argument("--target", default="", help="the moment")
    one.add_argument("--check", action="store_true", help="only say what stands in the way")
    return parser.parse_args()


def begun(told: Settings, asked: argparse.Namespace) -> int:
    if asked.verb == "drill":
        time.sleep(random.uniform(0, asked.jitter))  # noqa: S311
        if not on_turn(told, asked.here)[0]:
            return 0
        with only_one():
            return drill(told)
    refuse(told, asked)
    if not asked.check:
        with only_one():
            bring_back(told, asked, Target(asked.set, asked.timeline, asked.type, asked.target))
    return 0


def main() -> int:
    asked = arguments()
    for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(one, interrupted)
    # Production comes first.
    os.nice(10)
    subprocess.run(["ionice", "-c", "3", "-p", str(os.getpid())], check=False)
    try:
        return begun(settings(), asked)
    except Trouble as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
