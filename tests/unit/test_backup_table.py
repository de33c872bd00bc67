# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table or a database of a moment, under a new name."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
imported(ROOT / "roles/backup/templates/tree/usr/local/lib/trading-platform/backup_scratch.py")
table: Any = sys.modules["backup_table"]
host: Any = sys.modules["backup_host"]
session: Any = sys.modules["backup_session"]


@pytest.mark.parametrize("text", ["plain", "o'clock", "''"])
def test_a_text_in_a_query(text: str) -> None:
    assert session.literal(text) == "'" + text.replace("'", "''") + "'"


class Live:
    """Connections to a server with these databases, some of which nobody may connect to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, databases: list[str], closed: list[str]) -> None:
        self.databases, self.closed, self.ran = databases, closed, list[str]()
        monkeypatch.setattr(table, "Session", lambda *_: self)
        monkeypatch.setattr(table, "is_primary", lambda _told: True)
        monkeypatch.setattr(table, "run", self.run)

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ask(self, query: str) -> str:
        if query == table.DATABASES:
            return json.dumps(self.databases)
        names = [name for name in [*self.databases, *self.closed] if f"datname = '{name}'" in query]
        return "16384" if names else ""

    def run(self, *words: object) -> str:
        name = Path(str(words[0])).name
        self.ran.append(" ".join([name, *map(str, words[1:])]))
        if name == "pg_restore":
            raise host.Trouble("pg_restore ended with 1")
        return ""


TOLD = SimpleNamespace(postgres_port=5432, binaries="/bin")
PLACE = SimpleNamespace(path=Path("/scratch"), program=lambda *_: "")


def asked(into: str, of: str = "") -> argparse.Namespace:
    return argparse.Namespace(database="trading", table=of, into=into)


@pytest.mark.parametrize(
    ("into", "of", "says"),
    [
        ("new", "", ""),
        ("New", "", "'New' is no new name"),
        ("trading", "", "There is a database trading already"),
        ("archived", "", "There is a database archived already"),
        ("new", "public.orders", ""),
        ("pg_new", "public.orders", "keeps names such as pg_new for itself"),
    ],
)
def test_what_stands_in_the_way(into: str, of: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Live(monkeypatch, ["trading"], ["archived"])
    if not says:
        table.refuse(TOLD, asked(into, of))
        return
    with pytest.raises(host.Trouble, match=says):
        table.refuse(TOLD, asked(into, of))


def test_a_database_that_came_meanwhile_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live(monkeypatch, ["trading", "new"], [])
    with pytest.raises(host.Trouble):
        table.put(TOLD, PLACE, asked("new"))
    assert not [words for words in live.ran if words.startswith("dropdb")]


def test_half_a_database_goes_even_if_it_is_still_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live(monkeypatch, ["trading"], [])
    with pytest.raises(host.Trouble, match="pg_restore ended"):
        table.put(TOLD, PLACE, asked("new"))
    assert live.ran[-1] == "dropdb -p 5432 --force --if-exists new"


def test_a_name_that_is_a_word_of_sql() -> None:
    place, there = MagicMock(), MagicMock()
    there.ask.side_effect = lambda query: "t" if query.startswith("select relkind") else "[]"
    place.session.return_value.__enter__.return_value = there
    table.moved(place, asked("order", "public.orders"))
    said = [call.args[0] for call in there.ask.call_args_list]
    assert 'create schema "order"' in said
    assert not [query for query in said if "schema order" in query]
