# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that copies a host's files: which copy is meant, what is refused, what is said."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
files: Any = imported(ROOT / "roles/restic/templates/tree/usr/local/lib/trading-platform/files_backup.py")
host: Any = sys.modules["files_backup_host"]
restic: Any = sys.modules["files_backup_restic"]
copies: Any = sys.modules["files_backup_copies"]
results: Any = sys.modules["files_backup_results"]
rebuilding: Any = sys.modules["files_backup_rebuild"]


def copy(name: str, hour: int, *paths: str, identity: str = "") -> dict[str, Any]:
    whole = (identity or f"{name.encode().hex()}{hour:02}").ljust(64, "0")
    time = f"2026-11-21T{hour:02}:00:00.123456789Z"
    return {"id": whole, "short_id": whole[:8], "time": time, "tags": [name], "paths": list(paths)}


EARLY = copy("certbot", 8, "/etc/letsencrypt", identity="aaaaaaaa")
LATE = copy("certbot", 10, "/etc/letsencrypt", identity="bbbbbbbb")
APP = copy("app", 11, "/var/lib/app", "/etc/app", identity="cccccccc")
COPIES = [LATE, APP, EARLY]


@pytest.mark.parametrize(
    ("path", "at", "expected"),
    [
        ("/etc/letsencrypt", "", LATE),
        ("/etc/letsencrypt/accounts/x", "", LATE),
        ("/etc/app/config", "", APP),
        ("/etc/letsencrypt", "2026-11-21 09:00:00+00:00", EARLY),
        ("/etc/letsencrypt", "2026-11-21T11:30:00+01:00", LATE),
        ("/etc/letsencrypt", "2026-11-21 10:30:00+01:00", EARLY),
        ("/etc/letsencrypt", "2027-01-01 00:00:00Z", LATE),
        ("/etc/letsencrypt", "aaaaaaaa", EARLY),
    ],
)
def test_which_copy_is_meant(path: str, at: str, expected: dict[str, Any]) -> None:
    assert copies.chosen(COPIES, path, at) is expected


@pytest.mark.parametrize(
    ("path", "at", "why"),
    [
        ("/etc/letsencrypt2", "", "No copy has /etc/letsencrypt2. There are:\naaaaaaaa .*\nbbbbbbbb .*\ncccccccc "),
        # The copies hold parts of it only.
        ("/etc", "", "No copy has /etc"),
        ("/etc/letsencrypt", "2026-11-21 07:00:00+00:00", "or from before it. There are:\naaaaaaaa .*\nbbbbbbbb "),
        ("/etc/letsencrypt", "cccccccc", "No copy of /etc/letsencrypt is cccccccc"),
        ("/etc/letsencrypt", "2026-11-21 09:00:00", "no zone"),
        ("/etc/letsencrypt", "yesterday", "neither a copy's id nor a time"),
    ],
)
def test_what_no_copy_has(path: str, at: str, why: str) -> None:
    with pytest.raises(host.Trouble, match=why):
        copies.chosen(COPIES, path, at)


NODES = [{"path": path} for path in ("/etc", "/etc/a", "/etc/a/x", "/etc/ab", "/var", "/var/b")]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/etc/a", ["/etc/a", "/etc/a/x"]), ("/etc/a/x", ["/etc/a/x"]), ("/var", ["/var", "/var/b"])],
)
def test_what_a_copy_holds_of_a_path(path: str, expected: list[str]) -> None:
    assert [node["path"] for node in copies.below(NODES, path)] == expected


@pytest.mark.parametrize(
    ("path", "instead"), [("/etc/a/y/z", "/etc/a it has:\n/etc/a/x$"), ("/opt/a", "/ it has:\n/etc\n/var$")]
)
def test_what_a_copy_holds_instead(path: str, instead: str) -> None:
    with pytest.raises(host.Trouble, match=instead):
        copies.below(NODES, path)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Fatal: unable to open config file: Stat: The specified key does not exist.\nIs there a repository", True),
        ("Fatal: repository does not exist: unable to open config file", True),
        ("Stat: The specified bucket does not exist", False),
        # The same question, but S3 was not asked.
        ("dial tcp 127.0.0.1:9449: connect: connection refused\nIs there a repository at the following", False),
        ("Fatal: wrong password or no key found", False),
    ],
)
def test_a_repository_is_made_only_where_there_is_none(said: str, expected: bool) -> None:
    assert restic.unmade(said) is expected


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("Fatal: wrong password or no key found", "passphrase"),
        ("Stat: Access Denied.", "refuses the key"),
        ("x509: certificate signed by unknown authority", "ca_file"),
        ("dial tcp 127.0.0.1:9449: connect: connection refused", "does not answer"),
        ("load <snapshot/8584607e6f>: invalid data returned", "damaged"),
        ("Pack ID does not match, want e9, got e7", "damaged"),
        ("ciphertext verification failed", "damaged"),
        ("unable to create lock in backend: repository is already locked by PID 1", "Another restic"),
    ],
)
def test_advice(said: str, advice: str) -> None:
    assert advice in restic.advice(said)


def test_a_path_is_no_pattern() -> None:
    assert copies.literal("/a/we*ird [1]?\\") == "/a/we\\*ird \\[1]\\?\\\\"


def test_metrics_leave_out_what_is_not_known() -> None:
    ended = {"set": "redis", "end": 9.0, "seconds": 3, "ok": False, "last_success": None}
    assert results.metrics([ended]).splitlines() == [
        'trading_files_backup_last_end_timestamp_seconds{set="redis"} 9.0',
        'trading_files_backup_duration_seconds{set="redis"} 3.0',
        'trading_files_backup_ok{set="redis"} 0.0',
    ]


@pytest.mark.parametrize("problem", [host.Trouble("no quorum"), IndexError("no quorum")])
def test_one_that_fails_does_not_keep_the_others(
    problem: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(host, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(files, "ready", lambda told: None)
    told = restic.Settings("db1", str(tmp_path / "x.prom"), [], [], {}, [{"name": "a"}, {"name": "b"}])

    def broken() -> dict[str, Any]:
        raise problem

    files.performed(told, {"a": lambda: {"size": 1}, "b": lambda: {}})
    with pytest.raises(host.Trouble, match=r"^a: no quorum$"):
        files.performed(told, {"a": broken, "b": lambda: {"size": 7}})
    noted = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in ("a", "b")}
    assert (noted["a"]["ok"], noted["b"]["ok"], noted["b"]["size"]) == (False, True, 7)
    # When it last went well is still known.
    assert 0 < noted["a"]["last_success"] < noted["a"]["end"]
    assert 'trading_files_backup_ok{set="a"} 0.0\n' in (tmp_path / "x.prom").read_text()
    # The host went down while it wrote.
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text('{"set"')
    files.performed(told, {"a": lambda: {"size": 1}})
    assert 'ok{set="a"} 1.0\n' in (tmp_path / "x.prom").read_text()


@pytest.fixture
def bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Rebuilds a set that `unless` there is something in here; what restic was asked, and what was said."""
    monkeypatch.setattr(rebuilding, "RESULTS", tmp_path)
    monkeypatch.setattr(rebuilding, "copies", lambda told: COPIES)
    asked: list[tuple[str, list[str], str]] = []

    def brought(told: Any, copy: Any, paths: list[str], target: Path) -> None:
        asked.append((copy["short_id"], paths, str(target)))

    def run(*, starts_empty: str = "", check: bool = False, restored: Any = brought, **more: Any) -> Any:
        monkeypatch.setattr(rebuilding, "brought", restored)
        one = {"name": "certbot", "paths": ["/etc/le"], "unless": [f"{tmp_path}/live/*"], **more}
        told = restic.Settings("lb1", "", [], [], {}, [one, {"name": "etcd", "paths": ["/var/backups/etcd.db"]}])
        rebuilding.rebuild(told, starts_empty.split(","), check)
        return asked

    return run


@pytest.mark.parametrize(
    ("given", "asked", "says"),
    [
        # The newest copy of that name, with the paths that it has.
        (
            {},
            [("bbbbbbbb", ["/etc/letsencrypt"], "/")],
            "brought back as of 2026-11-21 10:00:00+00:00, and read once more",
        ),
        ({"into": "/x/restored"}, [("bbbbbbbb", ["/etc/letsencrypt"], "/x/restored")], "brought back as of"),
        ({"check": True}, [], "would be brought back as of 2026-11-21"),
        ({"starts_empty": "redis,certbot"}, [], "starts empty, as it was said"),
    ],
)
def test_what_is_not_here_comes_back(
    bring: Any, capsys: pytest.CaptureFixture[str], given: dict[str, Any], asked: list[Any], says: str
) -> None:
    assert bring(**given) == asked
    # Nothing of etcd, which its role makes anew.
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"certbot: {says}")


def test_what_is_here_stays(bring: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "live/a.test").mkdir(parents=True)
    assert bring() == []
    assert f"{tmp_path}/live/a.test is here, so nothing was brought back" in capsys.readouterr().out


def test_a_rebuild_that_was_cut_off_is_gone_on_with(bring: Any, tmp_path: Path) -> None:
    def cut_off(*_: Any) -> None:
        (tmp_path / "live/a.test").mkdir(parents=True)
        raise host.Trouble("S3 does not answer")

    with pytest.raises(host.Trouble, match="does not answer"):
        bring(restored=cut_off)
    assert len(bring()) == 1
    assert len(bring()) == 1


@pytest.mark.parametrize("said", ["", "Fatal: unable to open config file: Stat: The specified key does not exist."])
def test_without_a_copy_it_is_refused(bring: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(told: Any) -> list[Any]:
        if said:
            raise host.Trouble(said)
        return [APP]

    monkeypatch.setattr(rebuilding, "copies", none)
    with pytest.raises(host.Trouble, match=r"no copy of certbot.* say -e starts_empty=certbot. There are:"):
        bring()


def test_without_s3_nobody_knows_whether_there_is_a_copy(bring: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(told: Any) -> list[Any]:
        raise host.Trouble("dial tcp: connection refused\nIs there a repository")

    monkeypatch.setattr(rebuilding, "copies", away)
    with pytest.raises(host.Trouble, match="connection refused"):
        bring(starts_empty="redis")
