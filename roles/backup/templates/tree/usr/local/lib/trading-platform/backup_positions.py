"""Positions in PostgreSQL's log; nothing is read here. Managed by Ansible (role backup)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SEGMENT = 16 << 20


def number(lsn: str) -> int:
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def position(place: int) -> str:
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def segment(place: int) -> str:
    """The log's name but for its timeline."""
    return f"{place >> 32:08X}{place % (1 << 32) // SEGMENT:08X}"


def archived(archive: Sequence[Mapping[str, Any]]) -> int:
    """Up to where the cluster's logs are in a repository; the best one counts."""
    present = max((one["database"]["id"] for one in archive), default=0)
    last = max((one["max"] or "" for one in archive if one["database"]["id"] == present), default="")
    return (int(last[8:16], 16) * ((1 << 32) // SEGMENT) + int(last[16:], 16) + 1) * SEGMENT if last else 0
