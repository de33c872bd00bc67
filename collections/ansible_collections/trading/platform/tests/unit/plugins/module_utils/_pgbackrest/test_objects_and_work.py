# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of manifests and listings, the journal, and the guards of a restore."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest import planning, work
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.client import (
    LOGS,
    Entry,
    Pgbackrest,
    Slice,
    failed,
)
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.journal import (
    KEPT,
    Journal,
    estimate,
    read_journal,
)
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.objects import (
    absent,
    read_archive,
    read_manifest,
)
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.stanza import Set, Stanza
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.wal import BackupError

SHA = "b57294390ef9d1c2e8343cbcceaf2ec07862ec03"
ROOT = "archive/main/15-1"
# 2.45 writes one object a file and names a reference by its label; bundles and block increments are of 2.55.
MANIFEST_245 = """[backrest]
backrest-format=5

[backup]
backup-label="F_I"
backup-reference="F,F_I"

[backup:option]
option-compress-type="zst"

[target:file]
pg_data/PG_VERSION={"checksum":"58","rck":"c5","reference":"F","repo-size":32,"size":3,"timestamp":1}
pg_data/a=b={"checksum":"93","rck":"dd","repo-size":208,"size":258,"timestamp":1}

[target:file:default]
mode="0600"
"""
MANIFEST_255 = """[backup]
backup-bundle=true
backup-reference="F,F_I"

[backup:option]
option-compress-type="gz"

[target:file]
pg_data/PG_VERSION={"bni":1,"bno":100,"checksum":"58","rck":"c5","reference":"F","repo-size":32,"size":3}
pg_data/base/5/1={"bi":1,"bim":24,"checksum":"93","rck":"dd","repo-size":208,"size":8192000}
pg_data/empty={"size":0,"timestamp":1}
"""


@pytest.mark.parametrize(
    ("text", "objects"),
    [
        (
            MANIFEST_245,
            {
                "backup/main/F/pg_data/PG_VERSION.zst": [Slice("pg_data/PG_VERSION", 0, 32, "c5")],
                "backup/main/F_I/pg_data/a=b.zst": [Slice("pg_data/a=b", 0, 208, "dd")],
            },
        ),
        (
            MANIFEST_255,
            {
                "backup/main/F/bundle/1": [Slice("pg_data/PG_VERSION", 100, 32, "c5")],
                "backup/main/F_I/pg_data/base/5/1.pgbi": [Slice("pg_data/base/5/1", 0, 208, "dd")],
            },
        ),
    ],
)
def test_manifest(text: str, objects: dict[str, list[Slice]]) -> None:
    assert read_manifest(text.encode(), "F_I", "backup/main") == objects


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"Salted__", MANIFEST_245.replace('{"ch', '{"ch"').encode()])
def test_damaged_manifest(raw: bytes) -> None:
    with pytest.raises(BackupError, match=r"the manifest of set F_I cannot be read.* Nothing was changed\.$"):
        read_manifest(raw, "F_I", "backup/main")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"F/bundle/1": 132}, {}),
        ({"F/bundle/1": 131}, {"backup/main/F/bundle/1": "131 bytes long, must be 132"}),
        ({}, {"backup/main/F/bundle/1": "missing"}),
    ],
)
def test_absent(files: dict[str, int], said: dict[str, str]) -> None:
    expected = {"backup/main/F/bundle/1": [Slice("x", 100, 32, "c5"), Slice("y", 0, 100, "c6")]}
    assert absent(expected, {name: Entry(size, 1) for name, size in files.items()}, "backup/main") == said


def test_archive_listing() -> None:
    names = [
        f"0000000100000000/000000010000000000000004-{SHA}.zst",
        f"0000000100000000/000000010000000000000005-{SHA}",
        f"0000000100000000/000000010000000000000005-{SHA[::-1]}.gz",
        f"0000000100000000/000000010000000000000006-{SHA}.zst.pgbackrest.tmp",
        f"0000000100000000/000000010000000000000007.partial-{SHA}.gz",
        "0000000100000000/000000010000000000000003.00000028.backup",
        "0000000A.history",
    ]
    found = read_archive({name: Entry(10, 1) for name in names}, ROOT)
    assert {name: len(copies) for name, copies in found.segments.items()} == {
        "000000010000000000000004": 1,
        "000000010000000000000005": 2,
    }
    assert found.segments["000000010000000000000004"][0].path == f"{ROOT}/{names[0]}"
    assert found.histories == {10: f"{ROOT}/0000000A.history"}


@pytest.mark.parametrize(
    ("code", "says"),
    [(50, "another backup, expire or restore"), (95, "decryption failed"), (77, "ended with 77: ERROR: oh")],
)
def test_failed(code: int, says: str) -> None:
    error = failed("backup", code, "ERROR: oh", "Nothing was changed.")
    assert says in str(error)
    assert str(error).endswith("ERROR: oh. Nothing was changed.")
    assert error.details == {"code": code}


def entry(size: int, seconds: float, **more: Any) -> dict[str, Any]:
    return {"action": "restore", "bytes": size, "seconds": seconds} | more


@pytest.mark.parametrize(
    ("entries", "seconds"),
    [
        ([], None),
        ([entry(10 << 20, 5)], 10.0),
        ([entry(10 << 20, 5), entry(10 << 20, 50), entry(10 << 20, 10)], 20.0),
        ([entry(100, 5)], None),
        ([entry(10 << 20, 5, action="backup"), {"action": "restore"}], None),
    ],
)
def test_estimate(entries: list[dict[str, Any]], seconds: float | None) -> None:
    assert estimate(entries, 20 << 20) == seconds


@pytest.mark.parametrize(("text", "entries"), [("", []), ("{", []), ("{}", []), ('[1, {"a": 1}]', [{"a": 1}])])
def test_journal_text(text: str, entries: list[Any]) -> None:
    assert read_journal(text) == entries


def test_journal_is_bounded(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "j.json"))
    for number in range(KEPT + 3):
        journal.add({"n": number})
    assert [one["n"] for one in journal.entries()] == list(range(3, KEPT + 3))
    Journal(None).add({"n": 1})


@pytest.mark.parametrize(
    ("kind", "target", "words"),
    [
        ("default", "", []),
        ("time", "2026", ["--target=2026", "--target-action=promote"]),
    ],
)
def test_arguments(kind: str, target: str, words: list[str]) -> None:
    wanted = {"set": "F", "timeline": 2, "restore": {"type": kind, "target": target}}
    common = ["--set=F", f"--type={kind}", "--pg1-path=/x", "--target-timeline=2"]
    assert work.arguments(wanted, Path("/x"), "promote") == common + words


def test_ready(tmp_path: Path) -> None:
    data, aside = tmp_path / "data", tmp_path / "aside"
    assert not work.ready(data, aside, delta=False, resumed=False)
    data.mkdir()
    assert not work.ready(data, None, delta=False, resumed=False)
    (data / "PG_VERSION").touch()
    assert work.ready(data, aside, delta=False, resumed=False)
    assert not work.ready(data, None, delta=True, resumed=False)
    with pytest.raises(BackupError, match="not empty: give aside"):
        work.ready(data, None, delta=False, resumed=False)
    with pytest.raises(BackupError, match="does not exist, so"):
        work.ready(data, tmp_path / "no/aside", delta=False, resumed=False)
    aside.mkdir()
    with pytest.raises(BackupError, match=r"is there already: .* Nothing was changed\.$"):
        work.ready(data, aside, delta=False, resumed=False)
    assert not work.ready(data, aside, delta=False, resumed=True)


def test_unfinished(tmp_path: Path) -> None:
    assert not work.unfinished(tmp_path)
    (tmp_path / "backup.manifest").touch()
    assert work.unfinished(tmp_path)
    (tmp_path / "global").mkdir()
    (tmp_path / "global/pg_control").touch()
    assert not work.unfinished(tmp_path)


@pytest.mark.parametrize(("needed", "free", "says"), [(10, 10, None), (11, 10, "1 bytes (0.00 GiB) are missing")])
def test_enough(needed: int, free: int, says: str | None) -> None:
    found = json.loads(json.dumps({"path": "/x", "needed": needed, "free": free}))
    if says is None:
        planning.enough(found)
        return
    with pytest.raises(BackupError) as error:
        planning.enough(found)
    assert says in str(error.value)


class Client(Pgbackrest):
    """It only says what each repository has."""

    def __init__(self, stanzas: list[Stanza], repo: int | None = None) -> None:
        super().__init__("main", repo)
        self.stanzas = stanzas

    def on(self, repo: int) -> Client:
        return Client(self.stanzas, repo)

    def info(self) -> list[Stanza]:
        return [one for one in self.stanzas if self.repo in {None, one.repo}]


def has(repo: int, code: int = 0, last: str = "0A", *sets: Set) -> Stanza:
    archive = ({"database": 1, "max": f"0000000100000000000000{last}"},) if code == 0 else ()
    return Stanza("main", repo, code, "said", False, 1, "77", "15", sets, archive)


@pytest.mark.parametrize(
    ("kind", "stanzas", "refuses", "taken", "passed"),
    [
        ("time", [has(1)], [], 1, []),
        ("time", [has(1), has(2)], [], 1, []),
        ("time", [has(1, 99), has(2)], [], 2, ["repository 1 is passed by: repository 1 is away."]),
        # What it has is damaged, or does not reach the target.
        ("time", [has(1), has(2)], [1], 2, ["repository 1 is passed by: repository 1 is away."]),
        # It was away for a while.
        ("latest", [has(1), has(2, 0, "0B")], [], 2, []),
        ("time", [has(1), has(2, 0, "0B")], [], 1, []),
        ("latest", [has(1), has(2)], [], 1, []),
        ("latest", [has(1, 99), has(2)], [], 2, ["repository 1 is passed by: repository 1 is away."]),
    ],
)
def test_the_first_repository_that_leads_there_is_taken(
    *,
    kind: str,
    stanzas: list[Stanza],
    refuses: list[int],
    taken: int,
    passed: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work, "planned", plans(refuses))
    found = work.plan(Client(stanzas), {"target": {"type": kind}}, False)
    assert found["plan"]["repo"] == taken
    chosen = [f"from repository {taken}"] if len(stanzas) > 1 else []
    assert found["lines"] == [*chosen, *passed, "a set"]


def plans(refuses: list[int]) -> Any:
    def planned(client: Client, stanza: Stanza, _params: Any) -> dict[str, Any]:
        assert client.repo == stanza.repo
        if stanza.code or stanza.repo in refuses:
            raise BackupError(f"repository {stanza.repo} is away. Nothing was changed.", code=stanza.repo)
        return {"repo": stanza.repo, "lines": ["a set"]}

    return planned


@pytest.mark.parametrize(
    ("stanzas", "says"),
    [
        ([has(1)], "repository 1 is away. Nothing was changed."),
        (
            [has(1), has(2)],
            "Repository 1: repository 1 is away. Repository 2: repository 2 is away. Nothing was changed.",
        ),
    ],
)
def test_no_repository_leads_there(stanzas: list[Stanza], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "planned", plans([1, 2]))
    with pytest.raises(BackupError) as error:
        work.plan(Client(stanzas), {"target": {"type": "time"}}, False)
    assert str(error.value) == says
    assert error.value.details == {"code": 1}


def test_what_all_repositories_say_is_said_once() -> None:
    same = BackupError("no zone. Nothing was changed.")
    assert work.refusal({1: same, 2: BackupError(str(same))}) is same


@pytest.mark.parametrize(("repo", "words"), [(None, []), (2, ["--repo=2"])])
def test_each_command_goes_to_the_repository(
    repo: int | None, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pgbackrest"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    client = Pgbackrest("main", repo)
    said = client.content("backup/main/backup.info").decode().split()
    assert said == ["--stanza=main", *words, *LOGS, "repo-get", "backup/main/backup.info"]
    assert ("--repo=2" in client.run("restore").decode().split()) == bool(words)


def test_a_plan_of_one_repository_is_restored_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one is not even asked: it may be away, and the answer would take minutes."""
    ran: list[tuple[int | None, str]] = []

    class Restoring(Client):
        def on(self, repo: int) -> Client:
            return Restoring(self.stanzas, repo)

        def info(self) -> list[Stanza]:
            assert self.repo == 2
            return super().info()

        def run(self, command: str, *_: str, **__: str) -> bytes:
            ran.append((self.repo, command))
            return b""

    one = Set("F", "full", None, "", "", None, None, "0" * 24, "0" * 24, 1, 1, False, 1, 1)
    wanted = {"stanza": "main", "repo": 2, "system_id": "77", "set": "F", "timeline": 1, "bytes": 1}
    wanted |= {"data_directory": str(tmp_path / "data"), "restore": {"type": "default", "target": ""}}
    params = {"plan": wanted, "data_directory": str(tmp_path / "data"), "aside": None, "delta": False}
    params |= {"target_action": "promote", "journal": None}
    work.restore(Restoring([has(1, 99), has(2, 0, "0A", one)]), params, False)
    assert ran == [(2, "restore")]
    del wanted["repo"]
    with pytest.raises(BackupError, match="the plan lacks repo"):
        work.restore(Restoring([]), params, False)
