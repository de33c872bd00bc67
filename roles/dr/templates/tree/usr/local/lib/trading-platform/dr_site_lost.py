"""What this host committed, and the site that took over never got. Managed by Ansible (role dr)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dr_site_host import OTHER, Settings, run, source
from dr_site_positions import archived, fork, position

COMMIT = re.compile(r"desc: COMMIT(?:_PREPARED \d+:)? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC")


def lost(told: Settings) -> dict[str, Any]:
    """By its own logs, after the point that the other site's history says; the data directory is left as it is."""
    logs = sorted(path.name for path in (Path(told.data) / "pg_wal").glob("?" * 24))
    if not logs:
        return {"commits": 0, "lines": ["no logs are left here: what was lost cannot be counted on this host"]}
    timeline = int(logs[-1][:8], 16)
    there = source(told)
    after, _ = archived(there)
    if not after:
        return {"commits": 0, "lines": ["the other site's archive is empty: what it never got cannot be counted"]}
    history = f"archive/{told.stanza}/{archive_id(there)}/{after:08X}.history"
    code, out, _ = run(["pgbackrest", OTHER, f"--stanza={told.stanza}", "repo-get", history])
    where = fork(out, timeline) if code == 0 else None
    if where is None:
        return {"commits": 0, "lines": [f"timeline {timeline} of this host was not left by the other site's {after}"]}
    words = ["-p", f"{told.data}/pg_wal", "-t", str(timeline), "-s", position(where), "-r", "Transaction"]
    # It ends with an error where the logs end.
    _, out, _ = run([f"{told.binaries}/pg_waldump", *words])
    when = COMMIT.findall(out)
    line = f"{len(when)} transactions were committed here after {position(where)} and never reached the other site"
    return {"commits": len(when), "lines": [line + (f": from {when[0]} to {when[-1]} UTC" if when else "")]}


def archive_id(stanza: Mapping[str, Any]) -> str:
    present = max(stanza["archive"], key=lambda one: int(one["database"]["id"]))
    return str(present["id"])
