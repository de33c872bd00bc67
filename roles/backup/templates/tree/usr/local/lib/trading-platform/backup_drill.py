"""A restore rehearsed beside production, compared, measured and told. Managed by Ansible (role backup)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import backup_report
from backup_archive import timeline, waited
from backup_host import PROBLEMS, Settings, Trouble, moment, remembered, run, said, written
from backup_pgbackrest import info, serving
from backup_place import Place, scratch
from backup_positions import archived, number
from backup_sets import Target, newest
from backup_source import Source, counted, read

REPORTS = Path("/var/lib/trading-platform/backup/drills")


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
    except PROBLEMS as problem:
        report["message"] = said(problem)
    report |= {"end": time.time(), "ok": not backup_report.problems(report), "verdict": backup_report.verdict(report)}
    kept(told, report)
    return 0 if report["ok"] else 1


@contextmanager
def step(report: dict[str, Any], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    report["steps"].append({"name": name, "seconds": round(time.monotonic() - began, 1)})


def rehearse(told: Settings, report: dict[str, Any]) -> None:
    found = info(told)
    repo = serving(found)
    size = max((one["info"]["size"] for one in found["backup"]), default=0)
    with scratch(told, size) as place:
        with step(report, "read the source"):
            source = read(told)
        report |= {"source": source.kind, "lsn": source.lsn, "moment": moment(source.at)}
        with step(report, "wait for the archive"):
            report["rpo_seconds"] = round(waited(told, repo, source), 1)
        restore(place, repo, source, report)
        with step(report, "compare"), ExitStack() as opened:
            names = {one["database"] for one in told.drill["checks"]} | {name.split(": ")[0] for name in source.rows}
            rows, answers = counted(told, {name: opened.enter_context(place.session(name)) for name in names})
            report["rows"] = backup_report.compared(source.rows, rows)
            report["checks"] = backup_report.checked(told.drill["checks"], source.answers, answers)
        with step(report, "look for damage"):
            report["checks"] += undamaged(place)


def restore(place: Place, repo: int, source: Source, report: dict[str, Any]) -> None:
    told = place.told
    one = newest(info(told, repo)["backup"], source.lsn)
    report |= {"set": one["label"], "set_stop": moment(one["timestamp"]["stop"]), "bytes": one["info"]["size"]}
    target = Target(repo, one["label"], timeline(told), "lsn", source.lsn, exclusive=True)
    with step(report, "restore"):
        place.restore(target)
    # An idle cluster's last log is not archived before something is written: then the archive's end shows the same.
    behind = archived(info(told, repo)["archive"]) <= number(source.lsn)
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
    place.server.stop()
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
    # This one stays in any case: whoever asked for it reads it next.
    for old in reports[: -max(1, told.drill["keep"])]:
        old.with_suffix(".html").unlink(missing_ok=True)
        old.unlink()
    ends = [one["end"] for one in map(remembered, reports) if one.get("ok")]
    written(Path(told.metrics).with_name("trading_drill.prom"), backup_report.metrics(report, max(ends, default=None)))
    sys.stdout.write("\n".join([*report["verdict"], f"report {path.with_suffix('.html')}"]) + "\n")
