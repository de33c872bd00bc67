# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Patroni may be let loose on a host: judged from what lies there and what the members say. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

UPGRADE = "docs/operations.md, section Major upgrade of PostgreSQL"
RETIRE = "playbooks/retire_database.yml"
# Beside what a mount leaves, such a directory is as good as empty.
_IGNORED = frozenset({"lost+found"})


@dataclass(frozen=True)
class Wanted:
    """What the inventory says."""

    scope: str
    directory: str
    version: int
    members: tuple[str, ...]
    port: int = 5432


@dataclass(frozen=True)
class Directory:
    """A data directory as it lies on the host. No entries: it is absent or empty."""

    entries: tuple[str, ...] = ()
    version: str = ""
    system: str = ""
    mark: str = ""

    @property
    def empty(self) -> bool:
        return not set(self.entries) - _IGNORED


@dataclass(frozen=True)
class Member:
    """What a member's Patroni says of itself and of the cluster."""

    name: str
    scope: str = ""
    system: str = ""
    server: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What was found."""

    data: Directory = Directory()
    # Scope and data directory of the configuration that an earlier run left, and the directory's PG_VERSION.
    before: tuple[str, str, str] = ("", "", "")
    # Data directory of a server that already listens on the port.
    running: str = ""
    members: tuple[Member, ...] = ()


@dataclass
class Verdict:
    """What is to be said."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


def judge(wanted: Wanted, seen: Seen) -> Verdict:
    verdict = Verdict(orphans=_orphans(wanted, seen.members))
    verdict.problems = [
        *_version(wanted, seen),
        *_moved(wanted, seen),
        *_foreign(wanted, seen),
        *_other_server(wanted, seen),
    ]
    if verdict.orphans:
        names = ", ".join(verdict.orphans)
        verdict.warnings.append(
            f"Patroni's cluster {wanted.scope} still has {names}, which postgres_members does not name. "
            "Nothing of it was touched, and the settings that members share are left alone as long as it runs. "
            f"{RETIRE} stops it and keeps its data; or put it back into the inventory."
        )
    if len(wanted.members) == 1:
        verdict.warnings.append(
            f"{wanted.members[0]} is the only database host: when it is lost, so is what its last backup does not "
            "hold. Name a second one in postgres_members."
        )
    return verdict


def anchored(wanted: Wanted, seen: Seen) -> bool:
    """Whether this host, or a member that answers, has the cluster's data."""
    return not seen.data.empty or any(one.scope == wanted.scope and one.system for one in seen.members)


def _orphans(wanted: Wanted, members: Sequence[Member]) -> list[str]:
    named = {name for member in members if member.scope == wanted.scope for name in member.names}
    return sorted(named - set(wanted.members))


def _version(wanted: Wanted, seen: Seen) -> list[str]:
    """The version of what is there, wherever it shows first."""
    there = [
        (seen.data.version, f"the data in {wanted.directory}"),
        (seen.before[2], f"the data in {seen.before[1]}"),
        *((str(one.server), f"the server on {one.name}") for one in seen.members if one.scope == wanted.scope),
    ]
    for version, what in there:
        if version not in ("", "0", str(wanted.version)):
            return [
                f"postgres_version is {wanted.version}, but {what} is of PostgreSQL {version}. A run does not change "
                f"the major version of a cluster that has data: set postgres_version: {version}, or follow {UPGRADE}"
            ]
    return []


def _moved(wanted: Wanted, seen: Seen) -> list[str]:
    scope, directory, version = seen.before
    if not version:
        return []
    found = []
    if directory != wanted.directory and version == str(wanted.version):
        found.append(
            f"this member's data lies in {directory}, and postgres_data_directory is {wanted.directory}. Set it "
            "back; or stop patroni on this host alone, move the directory there, and run again"
        )
    if scope != wanted.scope:
        found.append(
            f"this member belongs to the cluster {scope}, and postgres_cluster is {wanted.scope}. Set it back: a "
            "cluster that has data keeps its name"
        )
    return found


def _foreign(wanted: Wanted, seen: Seen) -> list[str]:
    data = seen.data
    if data.empty:
        return []
    do = "If nobody needs it, move the directory away (mv) and run again; if not, set another postgres_data_directory"
    if not data.version or not data.system:
        return [
            f"{wanted.directory} is not empty and holds no PostgreSQL cluster "
            f"(it has {', '.join(data.entries[:5])}). {do}"
        ]
    peers = [one for one in seen.members if one.scope == wanted.scope and one.system]
    strangers = [one for one in peers if one.system != data.system]
    if strangers:
        return [
            f"{wanted.directory} holds another cluster (system identifier {data.system}) than the one that "
            f"{strangers[0].name} runs as {wanted.scope} ({strangers[0].system}). {do}"
        ]
    if data.mark != wanted.scope and not peers:
        whose = f"of the cluster {data.mark}" if data.mark else "that Patroni never ran"
        return [
            f"{wanted.directory} holds data {whose}, not of {wanted.scope}, and no member of {wanted.scope} answers "
            f"that could say otherwise. {do}"
        ]
    return []


def _other_server(wanted: Wanted, seen: Seen) -> list[str]:
    if seen.running in ("", wanted.directory) or seen.running == seen.before[1]:
        return []
    return [
        f"a PostgreSQL server with its data in {seen.running} listens on port {wanted.port}. Stop it, and keep it from "
        "starting again, or set postgres_port"
    ]


def configuration(text: str) -> tuple[str, str]:
    """Scope and data directory of a configuration that this role wrote."""
    scope = re.search(r"^scope: *(\S+)", text, re.MULTILINE)
    directory = re.search(r"^  data_dir: *(\S+)", text, re.MULTILINE)
    return (scope[1].strip("'\"") if scope else "", directory[1].strip("'\"") if directory else "")


def mark(postgresql_conf: str) -> str:
    """The scope that Patroni wrote into a data directory."""
    if "overwritten by Patroni" not in postgresql_conf:
        return ""
    found = re.search(r"^cluster_name = '([^']*)'", postgresql_conf, re.MULTILINE)
    return found[1] if found else ""


def system(pg_control: bytes) -> str:
    """The system identifier: the first eight bytes of pg_control."""
    return str(int.from_bytes(pg_control[:8], "little")) if len(pg_control) >= 8 else ""  # noqa: PLR2004
