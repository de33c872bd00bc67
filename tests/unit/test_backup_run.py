# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup leaves behind where it does not come to its end."""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
backup = imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_run.py")
host: Any = sys.modules["backup_host"]
pgbackrest: Any = sys.modules["backup_pgbackrest"]
results: Any = sys.modules["backup_results"]


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (host.Trouble("S3 is away"), "S3 is away"),
        (FileNotFoundError(2, "No such file or directory", "pgbackrest"), "No such file or directory: 'pgbackrest'"),
        (ValueError("Expecting value"), "ValueError: Expecting value"),
        (KeyError("backup"), "KeyError: 'backup'"),
    ],
)
def test_a_run_that_fails_is_told_of(
    problem: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> dict[str, Any]:
        raise problem

    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(backup, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(backup, "taken", broken)
    with pytest.raises(host.Trouble) as caught:
        backup.run(told(tmp_path), "full", False)
    noted = json.loads((tmp_path / "full.json").read_text())
    assert not noted["ok"]
    assert said in noted["message"]
    assert said in str(caught.value)
    assert 'trading_backup_ok{schedule="full"} 0.0\n' in (tmp_path / "x.prom").read_text()


def told(place: Path) -> Any:
    return SimpleNamespace(
        name="db1", stanza="main", types={"full": "full", "look": "verify"}, metrics=f"{place}/x.prom"
    )


SEEN = "stanza main in repository 1: 2 sets, 5 objects, 7 WAL segments"


@pytest.mark.parametrize(
    ("ours", "damage", "noted"),
    [
        (True, "", {"ok": True, "lines": [SEEN]}),
        (True, "1 objects are damaged: backup/main/F (missing).", {"ok": False, "message": "1 objects are damaged"}),
        (False, "", {}),
    ],
)
def test_what_is_there_is_looked_at_by_turn(
    *,
    ours: bool,
    damage: str,
    noted: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It holds no backup up: that one's lock is not touched."""

    def verify(client: Any) -> list[str]:
        assert client.stanza == "main"
        if damage:
            raise backup.BackupError(damage)
        return [SEEN]

    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(backup, "LOCK", tmp_path / "no directory/lock")
    monkeypatch.setattr(backup, "on_turn", lambda _told, _here: (ours, True))
    monkeypatch.setattr(backup, "verify", verify)
    with pytest.raises(host.Trouble, match="1 objects") if damage else nullcontext():
        backup.run(told(tmp_path), "look", False)
    path = tmp_path / "look.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    assert found.get("ok") == noted.get("ok")
    assert found.get("lines") == noted.get("lines")
    assert found.get("message", "").startswith(noted.get("message", ""))
    assert bool(capsys.readouterr().out) == bool(ours and not damage)
    if noted:
        metrics = (tmp_path / "x.prom").read_text()
        assert f'trading_backup_ok{{schedule="look"}} {float(noted["ok"])}\n' in metrics
        assert "size_bytes" not in metrics


INFO = {"size": 5, "repository": {"delta": 3}}
ARCHIVE = {"start": "02", "stop": "03"}


def made(label: str, kind: str, repo: int, stop: float) -> dict[str, Any]:
    more = {"info": INFO, "archive": ARCHIVE, "database": {"id": 1, "repo-key": repo}}
    return {"label": label, "type": kind, "timestamp": {"stop": stop}, **more}


SET = made("20261121-013000F", "full", 1, 1)


@pytest.mark.parametrize(
    ("repositories", "away", "repeated"),
    [(1, "", [""]), (2, "", [" --repo=1", " --repo=2"]), (2, "--repo=1", [" --repo=1", " --repo=2"])],
)
def test_each_repository_gets_a_backup(
    repositories: int, away: str, repeated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def run(*words: str, what: str) -> str:
        ran.append(" ".join(words))
        if away and away in words:
            raise host.Trouble("S3 is away")
        return json.dumps([{"backup": [SET]}])

    monkeypatch.setattr(pgbackrest, "run", run)
    these = SimpleNamespace(name="db1", stanza="main", repositories=repositories, keep_incremental=7)
    if away:
        with pytest.raises(host.Trouble, match=r"^Repository 1: S3 is away$"):
            backup.taken(these, "full", True)
    else:
        assert backup.taken(these, "full", True)["label"] == SET["label"]
    backups = [words for words in ran if " backup " in words]
    assert backups == [f"pgbackrest --stanza=main backup{one} --type=full --no-backup-standby" for one in repeated]


def test_an_old_set_goes_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    sets = [made("F_1", "incr", 1, 1), made("G_1", "incr", 2, 1), made("H", "full", 2, time.time())]

    def run(*words: str, what: str) -> str:
        ran.append(" ".join(words))
        return json.dumps([{"backup": sets}])

    monkeypatch.setattr(pgbackrest, "run", run)
    these = SimpleNamespace(name="db1", stanza="main", repositories=2, keep_incremental=7)
    told = backup.taken(these, "full", True)
    gone = [words.partition(" expire ")[2] for words in ran if " expire " in words]
    assert gone == ["--repo=2 --set=G_1", "--repo=1 --set=F_1"]
    assert (told["label"], told["lines"]) == ("H", ["H, 5 bytes"])


@pytest.mark.parametrize(("codes", "key"), [([0], 1), ([0, 0], 1), ([99, 0], 2), ([2, 0], 2), ([99, 2], 0), ([], 0)])
def test_the_repository_that_serves(codes: list[int], key: int) -> None:
    found = {"repo": [{"key": one, "status": {"code": code, "message": "a\nb"}} for one, code in enumerate(codes, 1)]}
    if key:
        assert pgbackrest.serving(found) == key
        return
    with pytest.raises(host.Trouble, match=r"can be read: (1: a b; 2: a b|there is none)\.$"):
        pgbackrest.serving(found)
