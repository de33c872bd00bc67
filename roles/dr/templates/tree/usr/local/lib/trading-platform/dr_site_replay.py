"""How far this site has come with the other one's archive. Managed by Ansible (role dr)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dr_site_host import Settings, Trouble, asked, source
from dr_site_positions import archived, moment, number, position

POLL = 0.5
STATE = """select json_build_object('standby', pg_is_in_recovery(), 'timeline', (pg_control_checkpoint()).timeline_id,
    'lsn', case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
    'last_commit', extract(epoch from pg_last_xact_replay_timestamp()), 'now', extract(epoch from clock_timestamp()),
    'system_id', (select system_identifier::text from pg_control_system()))"""


def judged(facts: dict[str, Any], stanza: Mapping[str, Any]) -> dict[str, Any]:
    """How far the replay is behind the archive's end."""
    timeline, end = archived(stanza)
    sets = [one["label"] for one in stanza.get("backup") or [] if not one.get("error")]
    more = {"archive_timeline": timeline, "archive_end": position(end), "sets": sets}
    if "lsn" in facts:
        # A standby that has just started has replayed nothing yet.
        more["behind_bytes"] = max(0, end - number(facts["lsn"] or "0/0"))
    return facts | more


def look(told: Settings) -> dict[str, Any]:
    said = asked(told, STATE)
    facts: dict[str, Any] = {"site": told.site, "state": "down", "data": (Path(told.data) / "PG_VERSION").exists()}
    if said:
        facts |= json.loads(said)
        facts["state"] = "standby" if facts.pop("standby") else "primary"
        facts["checks"] = [
            {"name": one["name"], "ok": asked(told, one["query"], one["database"]) == one["answer"]}
            for one in told.checks
        ]
    if facts["state"] == "primary":
        return facts | {"lines": [f"primary, timeline {facts['timeline']}, at {facts['lsn']}"]}
    facts = judged(facts, source(told))
    if facts["state"] == "down":
        return facts | {"lines": ["PostgreSQL does not run" + ("" if facts["data"] else ", and there is no data")]}
    facts["last"] = moment(facts["last_commit"])
    upto = facts["lsn"] or "nothing yet"
    lines = [
        f"standby, timeline {facts['timeline']}, replayed to {upto}, {facts['behind_bytes']} bytes behind the archive's"
        f" end {facts['archive_end']}; the last transaction is of {facts['last']}",
        *(f"not as it should be: {one['name']}" for one in facts["checks"] if not one["ok"]),
    ]
    return facts | {"lines": lines}


def catch_up(told: Settings, lsn: str, timeout: float) -> dict[str, Any]:
    """Until the archive's end is reached and has stayed where it is, or the position."""
    began, before = time.monotonic(), ""
    while True:
        facts = look(told)
        if facts["state"] == "primary":
            return facts
        if lsn and facts.get("lsn") and number(facts["lsn"]) >= number(lsn):
            break
        if not lsn and facts.get("behind_bytes") == 0:
            if before == facts["archive_end"]:
                break
            before = facts["archive_end"]
        if time.monotonic() - began > timeout:
            raise Trouble(
                f"Not replayed up to {lsn or facts['archive_end']} within {timeout:.0f} s, but to {facts.get('lsn')}:"
                " see journalctl -u patroni."
            )
        time.sleep(POLL)
    return facts | {"seconds": round(time.monotonic() - began, 1)}
