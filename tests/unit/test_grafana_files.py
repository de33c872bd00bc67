# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grafana's files are looked at before they land, and its database is copied whole."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest
import yaml
from program import imported

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles/grafana"
program = imported(ROLE / "templates/tree/usr/local/lib/trading-platform/grafana_files.py")
BOARD = json.dumps({"uid": "a", "title": "A", "panels": []})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the role lands, in small."""
    for path, text in {
        "etc/grafana/grafana.ini": "[security]\nadmin_user = $__file{/etc/trading-platform/grafana/admin_password}\n",
        "etc/grafana/provisioning/datasources/trading.yaml": '{"apiVersion": 1}',
        "etc/grafana/dashboards/Platform/a.json": BOARD,
        "etc/trading-platform/grafana/admin_password": "secret",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_a_good_tree(tree: Path) -> None:
    assert program.main(["check", str(tree)]) == 0


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("grafana/dashboards/Platform/b.json", '{"uid": ', "b.json: not JSON"),
        ("grafana/dashboards/Platform/b.json", "[]", "b.json: not an object"),
        ("grafana/dashboards/Desk/b.json", BOARD, "has the uid a of"),
        ("grafana/dashboards/Desk/b.json", '{"uid": "b", "panels": []}', "without title or uid"),
        ("grafana/dashboards/Desk/b.json", '{"uid": "b", "title": "B"}', "without panels"),
        ("grafana/provisioning/datasources/b.yaml", "apiVersion: 1", "b.yaml: not JSON"),
        ("grafana/grafana.ini", "protocol = https", "grafana.ini: File contains no section headers"),
        ("grafana/grafana.ini", "[server]\nprotocol = http\nprotocol = https", "already exists"),
        (
            "grafana/grafana.ini",
            "[database]\npassword = $__file{/etc/trading-platform/grafana/database_password}",
            "names /etc/trading-platform/grafana/database_password, which is not there",
        ),
    ],
)
def test_what_is_refused(tree: Path, path: str, text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "etc" / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / "etc" / path).write_text(text)
    assert program.main(["check", str(tree)]) == 1
    assert message in capsys.readouterr().err


def test_a_copy_of_a_database_in_use(tmp_path: Path) -> None:
    source, target = tmp_path / "grafana.db", tmp_path / "copies/grafana.db"
    with sqlite3.connect(source) as used:
        used.execute("PRAGMA journal_mode=WAL")
        used.execute("CREATE TABLE user (login TEXT)")
        used.execute("INSERT INTO user VALUES ('eva')")
        used.commit()
        for _ in range(2):  # over an older copy too
            assert program.main(["copy", str(source), str(target)]) == 0
    assert sqlite3.connect(target).execute("SELECT login FROM user").fetchall() == [("eva",)]
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["grafana.db"]


def test_a_copy_becomes_the_database_only_where_there_is_none(tmp_path: Path) -> None:
    copy, database = tmp_path / "copy.db", tmp_path / "grafana.db"
    words = ["take", str(copy), str(database)]
    # Neither is there at a first start.
    assert program.main(words) == 0
    assert not database.exists()
    copy.write_bytes(b"of before")
    assert program.main(words) == 0
    assert (database.read_bytes(), oct(database.stat().st_mode)[-3:]) == (b"of before", "640")
    copy.write_bytes(b"later")
    assert program.main(words) == 0
    assert database.read_bytes() == b"of before"


def test_no_database_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["copy", str(tmp_path / "none.db"), str(tmp_path / "copy.db")]) == 1
    assert "has Grafana ever started?" in capsys.readouterr().err


def test_dashboards_read_what_the_role_provisions() -> None:
    """A panel that reads a data source which nobody makes is empty, and nothing says why."""
    made = {one["source"]["uid"] for one in yaml.safe_load((ROLE / "vars/main.yml").read_text())["__grafana_sources"]}
    read = {
        (path.name, uid)
        for path in ROLE.glob("files/dashboards/*.json")
        for uid in re.findall(r'"uid": "([^"]+)"', path.read_text())
        if uid not in made | {path.stem, "-- Grafana --"}
    }
    assert not read


def test_the_folders_name_dashboards_that_there_are() -> None:
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    boards = {path.stem for path in ROLE.glob("files/dashboards/*.json")}
    assert set(defaults["grafana_overview"]) <= boards
    assert defaults["grafana_home"] in boards
