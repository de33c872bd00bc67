# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What haproxy says on its runtime socket, as data."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .records import ReleaseError
from .slots import COLOURS, Slot

# Of srv_admin_state: maintenance by command and by configuration, drain by command.
TAKEN_OUT = 0x01 | 0x04 | 0x08


@dataclass(frozen=True)
class Seen:
    """A slot in haproxy's eyes."""

    address: str = ""
    port: int = 0
    status: str = ""
    check: str = ""
    sessions: int = 0
    # Draining or in maintenance. Of a server that is down the status does not say so, and once up it would get nobody.
    taken_out: bool = False

    @property
    def up(self) -> bool:
        return self.status == "UP"


def read_stat(text: str) -> list[dict[str, str]]:
    """`show stat`: a table with a header."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("# pxname,svname,"):
        raise ReleaseError(f"haproxy's `show stat` is no table: {text[:200]!r}")
    return list(csv.DictReader([lines[0][2:], *lines[1:]]))


def read_servers(text: str) -> dict[Slot, Seen]:
    """`show servers state`: a version, a header, a line for each server."""
    lines = [line for line in text.splitlines() if line.strip()]
    header = next((line[2:].split() for line in lines if line.startswith("# be_id ")), None)
    if header is None:
        raise ReleaseError(f"haproxy's `show servers state` is no table: {text[:200]!r}")
    found = {}
    for line in lines:
        fields = line.split()
        if line.startswith("#") or len(fields) < len(header):
            continue
        row = dict(zip(header, fields, strict=False))
        taken_out = bool(number(row.get("srv_admin_state")) & TAKEN_OUT)
        found[row["be_name"], row["srv_name"]] = Seen(row["srv_addr"], number(row.get("srv_port")), taken_out=taken_out)
    return found


def read_map(text: str) -> dict[str, str]:
    """`show map`: an address in memory, a key, a value."""
    found = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[0].startswith("0x"):  # noqa: PLR2004
            found[fields[1]] = fields[2]
        elif fields:
            raise ReleaseError(f"haproxy's `show map` answered {line!r}; it may not know the map: run site.yml")
    return found


def number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def closed(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """The frontends that accept no connection."""
    return [row["pxname"] for row in rows if row["svname"] == "FRONTEND" and row["status"] == "PAUSED"]


def seen(rows: Iterable[Mapping[str, str]], servers: Mapping[Slot, Seen]) -> dict[Slot, Seen]:
    found = {}
    for row in rows:
        slot = (row["pxname"], row["svname"])
        if slot in servers:
            check = " ".join(x for x in (row.get("check_status"), row.get("check_code"), row.get("last_chk")) if x)
            status = row.get("status") or ""
            found[slot] = replace(servers[slot], status=status, check=check, sessions=number(row.get("scur")))
    return found


def sessions(rows: Iterable[Mapping[str, str]], colour: str, only: Iterable[Slot] = ()) -> int:
    """Requests and WebSockets that a colour still carries; of these slots only, where some are named."""
    slots = set(only)
    if slots:
        return sum(number(row["scur"]) for row in rows if (row["pxname"], row["svname"]) in slots)
    return sum(
        number(row["scur"]) for row in rows if row["svname"] == "BACKEND" and row["pxname"].endswith(f"_{colour}")
    )


def counters(rows: Iterable[Mapping[str, str]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Totals of each backend, by colour and service. Who compares takes them twice."""
    table = list(rows)
    found: dict[str, dict[str, dict[str, Any]]] = {colour: {} for colour in COLOURS}
    for row in table:
        service, _line, colour = row["pxname"].rpartition("_")
        if row["svname"] != "BACKEND" or not service or colour not in found:
            continue
        servers = [r for r in table if r["pxname"] == row["pxname"] and r["svname"] not in ("BACKEND", "FRONTEND")]
        found[colour][service] = {
            "requests": number(row.get("req_tot") or row.get("stot")),
            "errors": number(row.get("hrsp_5xx")),
            "connection_errors": number(row.get("econ")),
            "response_ms": number(row.get("rtime")),
            "sessions": number(row.get("scur")),
            "up": sum(r.get("status") == "UP" for r in servers),
        }
    return found
