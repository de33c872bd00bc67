# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stanza's state in each repository, from `pgbackrest info --output=json`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from . import wal
from .wal import BackupError

UNREADABLE = 99


@dataclass(frozen=True)
class Set:
    label: str
    type: str
    prior: str | None
    start: str
    stop: str
    start_lsn: str | None
    stop_lsn: str | None
    wal_start: str
    wal_stop: str
    size: int
    repo_size: int | None
    error: bool
    timeline: int
    database: int

    @property
    def usable_from(self) -> int:
        """The first second after it: info cuts fractions off."""
        return int(datetime.fromisoformat(self.stop).timestamp()) + 1

    @property
    def end(self) -> int:
        """Where the database is consistent."""
        return wal.read_lsn(self.stop_lsn) if self.stop_lsn else (wal.number(self.wal_stop) + 1) * wal.SEGMENT


@dataclass(frozen=True)
class Stanza:
    """What one repository has of it."""

    name: str
    repo: int
    code: int
    message: str
    running: bool
    database: int
    system_id: str
    version: str
    sets: tuple[Set, ...]
    archive: tuple[dict[str, Any], ...]

    @property
    def archive_id(self) -> str:
        return f"{self.version}-{self.database}"

    @property
    def good(self) -> list[Set]:
        """Sets of the present cluster without damaged pages, the oldest first."""
        return [one for one in self.sets if one.database == self.database and not one.error]

    @property
    def earliest(self) -> int | None:
        return min((one.usable_from for one in self.good), default=None)

    @property
    def reach(self) -> str:
        """The last log that it has of the present cluster."""
        return max((one["max"] or "" for one in self.archive if one["database"] == self.database), default="")

    @property
    def where(self) -> str:
        return f"stanza {self.name} in repository {self.repo}"

    def find(self, label: str) -> Set:
        for one in self.sets:
            if one.label == label:
                return one
        known = ", ".join(each.label for each in self.sets) or "none"
        raise BackupError(f"{self.where} has no set {label}; it has {known}. Nothing was changed.")


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat()


def read_info(raw: bytes, stanza: str) -> list[Stanza]:
    """By repository, in pgBackRest's order.

    The message of a repository that cannot be decrypted holds raw bytes: neither UTF-8 nor proper JSON.
    """
    try:
        found = json.loads(raw.decode(errors="replace"), strict=False)
        one = next(entry for entry in found if entry["name"] == stanza)
        held = bool(one["status"].get("lock", {}).get("backup", {}).get("held"))
        return [_read(one, repo, held) for repo in one["repo"]]
    except (ValueError, KeyError, TypeError, StopIteration, AttributeError) as error:
        raise BackupError(
            f"pgbackrest info of stanza {stanza} cannot be read ({type(error).__name__}: {error}); look at "
            f"`pgbackrest --stanza={stanza} info --output=json`. Nothing was changed."
        ) from error


def _read(one: dict[str, Any], repo: dict[str, Any], held: bool) -> Stanza:
    key = repo["key"]
    # A database's number is its place in this repository's history; another one's may be younger.
    database: dict[str, Any] = max(_of(key, one["db"]), key=lambda each: int(each["id"]), default={})
    return Stanza(
        name=one["name"],
        repo=int(key),
        code=int(repo["status"]["code"]),
        message=" ".join(repo["status"]["message"].split()),
        running=held,
        database=int(database.get("id", 0)),
        system_id=str(database.get("system-id", "")),
        version=str(database.get("version", "")),
        sets=tuple(_read_set(each) for each in _of(key, one["backup"])),
        archive=tuple(
            {"database": each["database"]["id"], "id": each["id"], "min": each["min"], "max": each["max"]}
            for each in _of(key, one["archive"])
        ),
    )


def _of(key: int, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in entries if each.get("database", each)["repo-key"] == key]


def _read_set(entry: dict[str, Any]) -> Set:
    lsn = entry.get("lsn") or {}
    return Set(
        label=entry["label"],
        type=entry["type"],
        prior=entry.get("prior"),
        start=iso(entry["timestamp"]["start"]),
        stop=iso(entry["timestamp"]["stop"]),
        start_lsn=lsn.get("start"),
        stop_lsn=lsn.get("stop"),
        wal_start=entry["archive"]["start"],
        wal_stop=entry["archive"]["stop"],
        size=int(entry["info"]["size"]),
        repo_size=entry["info"]["repository"].get("size"),
        error=bool(entry.get("error")),
        timeline=wal.timeline_of(entry["archive"]["start"]),
        database=int(entry["database"]["id"]),
    )


def readable(stanza: Stanza) -> None:
    if stanza.code == UNREADABLE:
        raise BackupError(
            f"repository {stanza.repo} of stanza {stanza.name} cannot be read: {short(stanza.message, 150)}. A "
            f"FormatError or CryptoError means that repo{stanza.repo}-cipher-pass in /etc/pgbackrest/conf.d is not the "
            "one it was written with. Nothing was changed."
        )


def restorable(stanza: Stanza, system_id: str | None) -> None:
    readable(stanza)
    if stanza.code:
        raise BackupError(
            f"{stanza.where} cannot be restored: {short(stanza.message)}. Look at repo{stanza.repo}-path and the "
            "stanza's name, or take a backup first. Nothing was changed."
        )
    if system_id and system_id != stanza.system_id:
        raise BackupError(
            f"{stanza.where} holds the cluster with system id {stanza.system_id}, asked for was {system_id}: these are "
            "backups of another cluster. Look at the stanza's name and the repository. Nothing was changed."
        )
    if not stanza.good:
        flagged = ", ".join(one.label for one in stanza.sets if one.error)
        reason = f"the sets {flagged} hold pages with wrong checksums" if flagged else "it has no set of this cluster"
        raise BackupError(f"{stanza.where} cannot be restored: {reason}. Nothing was changed.")


def facts(stanza: Stanza) -> dict[str, Any]:
    return {
        "repo": stanza.repo,
        "status": {"code": stanza.code, "message": stanza.message, "running": stanza.running},
        "database": {"system_id": stanza.system_id, "version": stanza.version, "id": stanza.database},
        "sets": [asdict(one) for one in stanza.sets],
        "archive": list(stanza.archive),
    }


def told(stanza: Stanza, span: Mapping[str, str | None]) -> list[str]:
    """For a person: each set, and from when until when one can go back."""
    if stanza.code == UNREADABLE:
        return [f"it cannot be read: {short(stanza.message, 150)}"]
    if not stanza.sets:
        return [f"no backup: {stanza.message}"]
    lines = [
        f"{one.label}: {one.type}, {one.size / 2**20:.0f} MiB, ended {one.stop}{', damaged pages' * one.error}"
        for one in stanza.sets
    ]
    earliest, latest = span["earliest"] or "", span["latest"] or ""
    return [*lines, f"any moment from {earliest} to {latest if latest > earliest else 'the end of the logs'}"]


def added(before: Sequence[Set], after: Sequence[Set]) -> list[Set]:
    known = {one.label for one in before}
    return [one for one in after if one.label not in known]


def short(text: str, length: int = 300) -> str:
    text = " ".join(re.sub(r"[^ -~]+", " ", text).split())
    return text if len(text) <= length else text[:length] + "..."
