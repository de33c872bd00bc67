# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a host: what comes back, who is let in, what is forgotten."""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.trading.platform.plugins.module_utils._release import store
from ansible_collections.trading.platform.plugins.module_utils._release.records import Record, ReleaseError, Service
from ansible_collections.trading.platform.plugins.module_utils._release.store import Files
from ansible_collections.trading.platform.plugins.module_utils._release.work import Request
from ansible_collections.trading.platform.plugins.module_utils._release.world import Place, Routes, State

V1 = Record("v1", "0000000a", (Service("api", "sha256:" + "a" * 64, secrets=("key",)),), "2026-01-01T00:00:00+00:00")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "app").mkdir()
    return Files(str(tmp_path / "app"), str(tmp_path / "config"))


def test_everything_comes_back(files: Files) -> None:
    state, routes = State(Place(V1.name, "blue"), None, (V1.name,)), Routes("blue", 20, ("anna", "10.0.0.1"))
    files.write_state(state)
    files.write_routes(replace(routes, users=routes.users[::-1]))
    files.write_record(V1)
    assert (files.state(), replace(files.routes(), users=()), files.records()) == (
        state,
        replace(routes, users=()),
        {V1.name: V1},
    )
    assert set(files.routes().users) == set(routes.users)
    assert {p.name: oct(p.stat().st_mode & 0o777) for p in files.folder.iterdir() if p.is_file()} == {
        "state.json": "0o600",
        "routes.map": "0o644",
        "users.map": "0o644",
    }


def test_an_empty_host(files: Files) -> None:
    assert (files.state(), files.routes(), files.records()) == (State(), Routes(), {})


def test_a_torn_draft_is_nobodys_business(files: Files) -> None:
    """What a kill in the middle of a write leaves behind."""
    files.write_state(State(history=("a",)))
    (files.folder / ".state.json.new").write_text('{"li')
    assert files.state() == State(history=("a",))
    files.write_state(State(history=("b",)))
    assert files.state() == State(history=("b",))


def test_unreadable_files_say_what_to_do(files: Files) -> None:
    (files.folder / "state.json").write_text("{")
    with pytest.raises(ReleaseError, match="state.json cannot be read .* move it away and run the same again"):  # noqa: RUF043
        files.state()
    files.write_record(V1)
    path = files.records_folder / f"{V1.name}.json"
    path.rename(path.with_name("v9-0000000a.json"))
    with pytest.raises(ReleaseError, match="holds the release v1-0000000a"):
        files.records()


def test_the_second_one_waits_is_refused_and_the_next_one_is_not(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(time, "monotonic", lambda: sum(waited))
    with files.locked("live of v1"), pytest.raises(ReleaseError) as refusal, files.locked("live of v2"):
        pass
    assert "another release is under way on this host (live of v1, process " in str(refusal.value)
    assert sum(waited) > store.PATIENCE
    with files.locked("live of v2"):
        pass


@pytest.mark.parametrize("call", ["open", "pwrite"])
def test_a_lock_that_cannot_be_written_is_a_refusal(files: Files, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(ReleaseError, match=r"nothing was touched: .*No space left"), files.locked("live"):
        pass


def test_a_host_without_the_role(tmp_path: Path) -> None:
    with (
        pytest.raises(ReleaseError, match="is missing on this host: run playbooks/site"),
        Files(str(tmp_path / "nowhere")).locked("live"),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("anna: new disk\nuntil 18:00\n", "in maintenance: anna: new disk until 18:00"),
        ("", "the file says neither who nor why"),
    ],
)
def test_maintenance(files: Files, text: str, says: str) -> None:
    files.refuse_maintenance()
    (files.folder / "maintenance").write_text(text)
    with pytest.raises(ReleaseError) as refusal:
        files.refuse_maintenance()
    assert says in str(refusal.value)


def test_missing_secrets(files: Files) -> None:
    assert files.missing_secrets(V1) == [str(files.config / "0000000a" / "key")]
    (files.config / "0000000a").mkdir(parents=True)
    (files.config / "0000000a" / "key").write_text("x")
    assert files.missing_secrets(V1) == []


def test_forgetting_keeps_secrets_that_another_release_has(files: Files) -> None:
    other = replace(V1, version="v2")
    (files.config / "0000000a").mkdir(parents=True)
    for record in (V1, other):
        files.write_record(record)
    files.forget(V1.name)
    assert list(files.records()) == [other.name]
    assert (files.config / "0000000a").exists()
    files.forget(other.name)
    assert not (files.config / "0000000a").exists()
    assert files.config.exists()


def test_secrets_of_a_deploy_that_was_killed_before_its_record_go_with_the_next_release_that_does(files: Files) -> None:
    for name in ("0000000a", "0000000b", "0000000c", "not-ours"):
        (files.config / name).mkdir(parents=True)
    kept = replace(V1, version="v2", configuration="0000000c")
    for record in (V1, kept):
        files.write_record(record)
    files.forget(V1.name)
    assert sorted(path.name for path in files.config.iterdir()) == ["0000000c", "not-ours"]


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request("live"), "needs release or name, one of both"),
        (Request("live", release={}, name="v1"), "one of both"),
        (Request("shared", name="v1", share=101), "share has to be 0 to 100, not 101"),
        (Request("shared", name="v1", users=["a b"]), "'a b' is no routing key"),
        (Request("scaled"), "needs instances"),
        (Request("scaled", instances={"api": 9}), "instances of api have to be 0 to 8, not 9"),
        (Request("live", name="v1"), None),
        (Request("withdrawn"), None),
        (Request("scaled", instances={"api": 0}), None),
    ],
)
def test_what_a_task_may_ask_for(request_: Request, says: str | None) -> None:
    problems = "; ".join(request_.problems())
    assert problems == "" if says is None else says in problems


def test_a_record_keeps_the_time_it_was_first_written_down() -> None:
    told = {**V1.plain(), "created": "2026-02-02T00:00:00+00:00"}
    assert Request("live", release=told).record({V1.name: V1}, "now").created == V1.created
    assert Request("live", release=told).record({}, "now").created == told["created"]
    del told["created"]
    assert Request("live", release=json.loads(json.dumps(told))).record({}, "now").created == "now"
