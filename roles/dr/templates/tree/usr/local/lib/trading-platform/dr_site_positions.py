"""Positions in PostgreSQL's log, and moments; nothing is read here. Managed by Ansible (role dr)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

SEGMENT = 16 << 20
PER_ID = (1 << 32) // SEGMENT


def number(lsn: str) -> int:
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def position(place: int) -> str:
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def segment(timeline: int, place: int) -> str:
    return f"{timeline:08X}{place >> 32:08X}{place % (1 << 32) // SEGMENT:08X}"


def archived(stanza: Mapping[str, Any]) -> tuple[int, int]:
    """Timeline and end of the archive; zeros where there is none."""
    archive = stanza.get("archive") or []
    present = max((one["database"]["id"] for one in archive), default=0)
    last = max((one["max"] or "" for one in archive if one["database"]["id"] == present), default="")
    return (int(last[:8], 16), (int(last[8:16], 16) * PER_ID + int(last[16:], 16) + 1) * SEGMENT) if last else (0, 0)


def fork(history: str, timeline: int) -> int | None:
    """Where a timeline was left, by the history of a later one."""
    rows = [line.split() for line in history.splitlines() if line.strip() and not line.startswith("#")]
    return next((number(row[1]) for row in rows if int(row[0]) == timeline), None)


def moment(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds") if seconds else "an unknown moment"
