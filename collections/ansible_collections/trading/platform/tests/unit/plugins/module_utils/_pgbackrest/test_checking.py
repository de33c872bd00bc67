# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is looked at in each repository, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest import checking, wal
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.checking import Look
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.client import Entry
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.stanza import Set, Stanza
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.wal import BackupError

SHA = "b57294390ef9d1c2e8343cbcceaf2ec07862ec03"
MANIFEST = b"""[backup:option]
option-compress-type="zst"

[target:file]
pg_data/PG_VERSION={"bni":1,"checksum":"58","rck":"c5","repo-size":32,"size":3}
"""


def backup(label: str, *logs: int) -> Set:
    first, last = wal.name(1, logs[0]), wal.name(1, logs[-1])
    return Set(label, "full", None, "", "", None, None, first, last, 1, 1, False, 1, 1)


def stanza(repo: int, *sets: Set, code: int = 0) -> Stanza:
    return Stanza("main", repo, code, "timed out", False, 1, "77", "15", sets, ())


WHOLE = {"F/bundle/1": 32, "G/bundle/1": 32}


@dataclass
class Repository:
    """As it lies there: its files, its logs, and what pgBackRest says of the bytes."""

    state: Stanza
    files: dict[str, int] = field(default_factory=lambda: dict(WHOLE))
    logs: tuple[int, ...] = (2, 3, 4, 5)
    copy_of_info: bytes = b"info"
    says_damaged: bool = False
    altered: tuple[str, ...] = ()
    # From the second look on.
    later: Repository | None = None


class Client:
    def __init__(self, repositories: list[Repository], repo: int | None = None) -> None:
        self.repositories, self.repo, self.asked = repositories, repo, 0

    def on(self, repo: int) -> Client:
        return Client(self.repositories, repo)

    def info(self) -> list[Stanza]:
        if self.repo:
            self.repositories = [one.later or one for one in self.repositories]
        return [one.state for one in self.repositories if self.repo in {None, one.state.repo}]

    @property
    def there(self) -> Repository:
        return next(one for one in self.repositories if one.state.repo == self.repo)

    def listing(self, path: str) -> dict[str, Entry]:
        if path.startswith("archive"):
            return {f"x/{wal.name(1, one)}-{SHA}.zst": Entry(9, 1) for one in self.there.logs}
        return {name: Entry(size, 1) for name, size in self.there.files.items()}

    def content(self, path: str) -> bytes:
        if path.endswith(".info.copy"):
            return self.there.copy_of_info
        return b"info" if path.endswith(".info") else MANIFEST

    def says_damaged(self, _label: str | None) -> bool:
        return self.there.says_damaged

    def damaged(self, path: str, _slices: object) -> list[str]:
        return ["pg_data/PG_VERSION"] if path in self.there.altered else []

    def unpack(self, *_: object) -> str:
        return SHA


def verified(*repositories: Repository, label: str | None = None) -> list[str]:
    client: Any = Client(list(repositories))
    return checking.verify(client, label)


F, G = backup("F", 2), backup("G", 4, 5)
FIRST, SECOND = Repository(stanza(1, F, G)), Repository(stanza(2, F, G))
SOUND = "stanza main in repository {}: 2 sets, 2 objects, 4 WAL segments"


@pytest.mark.parametrize(
    ("repositories", "label", "lines"),
    [
        ([FIRST], None, [SOUND.format(1)]),
        ([FIRST, SECOND], None, [SOUND.format(1), SOUND.format(2)]),
        # A set lies in one of them.
        (
            [replace(FIRST, state=stanza(1, F)), replace(SECOND, state=stanza(2, G))],
            "G",
            ["stanza main in repository 2: 1 sets, 1 objects, 2 WAL segments"],
        ),
        # What is wrong once only: an expiry takes a set away, and the archiver brings a log.
        (
            [replace(FIRST, files={"G/bundle/1": 32}, later=replace(FIRST, state=stanza(1, G)))],
            None,
            ["stanza main in repository 1: 1 sets, 1 objects, 4 WAL segments"],
        ),
        ([replace(FIRST, logs=(2, 4, 5), later=FIRST)], None, [SOUND.format(1)]),
        ([replace(FIRST, copy_of_info=b"half", later=FIRST)], None, [SOUND.format(1)]),
        ([replace(FIRST, says_damaged=True, later=FIRST)], None, [SOUND.format(1)]),
    ],
)
def test_all_is_there(repositories: list[Repository], label: str | None, lines: list[str]) -> None:
    assert verified(*repositories, label=label) == lines


@pytest.mark.parametrize(
    ("repositories", "names", "says"),
    [
        ([replace(FIRST, files={"F/bundle/1": 32})], ["1 backup/main/G/bundle/1"], r"repository 1 .*/1 \(missing\)"),
        ([replace(FIRST, files=WHOLE | {"G/bundle/1": 31})], ["1 backup/main/G/bundle/1"], "31 bytes long"),
        ([replace(FIRST, logs=(2, 4, 5))], [f"1 archive/main/15-1/{wal.name(1, 3)}"], "missing"),
        ([replace(FIRST, copy_of_info=b"x")], ["1 backup/main/backup.info", "1 archive/main/archive.info"], "differs"),
        (
            [replace(FIRST, says_damaged=True, altered=("backup/main/F/bundle/1",))],
            ["1 backup/main/F/bundle/1"],
            "other bytes than were written",
        ),
        ([replace(FIRST, says_damaged=True)], [], "repo=1 verify .* No object could be named"),
        ([FIRST, replace(SECOND, logs=(2, 4, 5))], [f"2 archive/main/15-1/{wal.name(1, 3)}"], "repository 2 are dam"),
        # One that is away keeps nobody from the other, and is told.
        ([Repository(stanza(1, code=99)), SECOND], [], "^repository 1 of stanza main cannot be read: timed out"),
        (
            [Repository(stanza(1, code=99)), replace(SECOND, files={"F/bundle/1": 32})],
            ["2 backup/main/G/bundle/1"],
            "^repository 1 .* cannot be read: .* repository 2 are damaged: backup/main/G/bundle/1",
        ),
    ],
)
def test_what_is_wrong_is_named(repositories: list[Repository], names: list[str], says: str) -> None:
    with pytest.raises(BackupError, match=says) as error:
        verified(*repositories)
    damaged = cast("list[dict[str, Any]]", error.value.details["damaged"])
    assert [f"{one['repo']} {one['name']}" for one in damaged] == names


def test_a_set_that_no_repository_has() -> None:
    with pytest.raises(BackupError, match="main in repository 1 has no set X; it has F, G"):
        verified(FIRST, SECOND, label="X")


def test_only_what_is_wrong_twice_is() -> None:
    first, second = Look(1, 1, 1, {"a": "missing", "b": "short"}), Look(2, 2, 2, {"b": "missing", "c": "short"})
    assert checking.both(first, second) == Look(2, 2, 2, {"b": "missing"})
