# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup leaves behind where it does not come to its end."""

from __future__ import annotations

import json
import sys
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
    told = SimpleNamespace(name="db1", types={"full": "full"}, metrics=str(tmp_path / "x.prom"))
    with pytest.raises(host.Trouble) as caught:
        backup.run(told, "full", False)
    noted = json.loads((tmp_path / "full.json").read_text())
    assert not noted["ok"]
    assert said in noted["message"]
    assert said in str(caught.value)
    assert 'trading_backup_ok{schedule="full"} 0.0\n' in (tmp_path / "x.prom").read_text()


SET = {"label": "20261121-013000F", "type": "full", "timestamp": {"stop": 1}}


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
    told = SimpleNamespace(name="db1", stanza="main", repositories=repositories, keep_incremental=7)
    if away:
        with pytest.raises(host.Trouble, match=r"^Repository 1: S3 is away$"):
            backup.taken(told, "full", True)
    else:
        assert backup.taken(told, "full", True) == SET
    backups = [words for words in ran if " backup " in words]
    assert backups == [f"pgbackrest --stanza=main backup{one} --type=full --no-backup-standby" for one in repeated]
