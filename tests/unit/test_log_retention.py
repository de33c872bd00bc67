# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the log store's program deletes, what it keeps, and when it begins a new index."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROLE = Path(__file__).resolve().parents[2] / "roles/elasticsearch"
retention = imported(ROLE / "templates/tree/usr/local/lib/trading-platform/log_retention.py")
DAY, GB = 86400.0, 1 << 30
NOW = 1_800_000_000.0
RESOLVED, SIZES = "/_resolve/index/logs-*", "/_cat/indices/logs-*"


@pytest.mark.parametrize(("text", "wanted"), [("90d", 90 * DAY), ("12h", DAY / 2), ("90m", 5400.0), ("0m", 0.0)])
def test_how_long_a_retention_is(text: str, wanted: float) -> None:
    assert retention.seconds(text) == wanted


@pytest.mark.parametrize(
    ("ages", "days", "gone"),
    [
        ([], 30, []),
        # What is written to stays, however old.
        ([400], 30, []),
        ([400, 399], 30, [0]),
        # Begun before the time, and its newest document may be younger: it ends where the next one begins.
        ([31, 29], 30, []),
        ([32, 31, 29], 30, [0]),
        ([90, 60, 31, 1, 0], 30, [0, 1]),
        # To the second: at the age itself it is kept.
        ([31, 30], 30, []),
        # A clock that was put back deletes nothing.
        ([1, -1], 0, []),
    ],
)
def test_what_is_past(ages: Sequence[float], days: float, gone: list[int]) -> None:
    indices = [retention.Index(str(number), NOW - age * DAY, 1, 1) for number, age in enumerate(ages)]
    assert retention.past(indices, NOW, days * DAY) == [str(number) for number in gone]


@pytest.mark.parametrize(
    ("hours", "gigabytes", "documents", "rolls"),
    [
        (23, 1, 5, False),
        (24, 1, 5, False),
        (25, 1, 5, True),
        (1, 10, 5, False),
        (1, 11, 5, True),
        (25, 11, 0, False),
    ],
)
def test_when_a_new_index_is_begun(hours: float, gigabytes: int, documents: int, rolls: bool) -> None:
    last = retention.Index("x", NOW - hours * 3600, gigabytes * GB, documents)
    assert retention.wants_rollover(last, NOW, 24, 10) is rolls


class Elasticsearch(retention.Node):  # type: ignore[name-defined, misc]
    """Answers of a node that is not there; what changes something is kept."""

    def __init__(self, streams: Mapping[str, Sequence[tuple[float, int]]], lifecycle: int = 405) -> None:
        """Of each stream's indices their age in days and their documents; HTTP's status where a lifecycle is asked."""
        self.indices = {
            f".ds-{name}-2026.11.28-{number + 1:06d}": (name, age, documents)
            for name, indices in streams.items()
            for number, (age, documents) in enumerate(indices)
        }
        self.lifecycle, self.done = lifecycle, list[str]()

    def ask(self, method: str, path: str, timeout: float = 60) -> Any:
        del timeout
        if path == "/_lifecycle/stats":
            if self.lifecycle != 200:
                raise retention.TroubleError("no", self.lifecycle)
            return {}
        if method != "GET":
            self.done.append(f"{method} {path}")
            return {}
        if path == RESOLVED:
            # In no order, and one that the other question does not know.
            found: dict[str, list[str]] = {}
            for index, (name, _age, _documents) in reversed(self.indices.items()):
                found.setdefault(name, [f".ds-{name}-2026.11.29-000099"]).append(index)
            return {"data_streams": [{"name": name, "backing_indices": ours} for name, ours in found.items()]}
        assert path.partition("?")[0] == SIZES
        return [
            {
                "index": index,
                "creation.date": str(int((time.time() - age * DAY) * 1000)),
                "store.size": None if not documents else "10",
                "docs.count": str(documents),
            }
            for index, (_name, age, documents) in self.indices.items()
        ]


def ran(node: Elasticsearch, tmp_path: Path) -> tuple[int, str]:
    settings = {
        "retentions": {"logs-app-x": "90d", "logs-redis-x": "30d"},
        "rollover_hours": 24,
        "rollover_gb": 10,
        "metrics": str(tmp_path / "told.prom"),
    }
    code = retention.run(node, settings)
    told = tmp_path / "told.prom"
    return code, told.read_text(encoding="utf-8") if told.exists() else ""


def test_each_stream_keeps_its_own_time_and_strange_ones_are_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Elasticsearch(
        {
            "logs-app-x": [(95, 3), (60, 3), (0.5, 3)],
            "logs-redis-x": [(95, 3), (31, 3), (2, 3)],
            "logs-stray-x": [(900, 3), (800, 3)],
        }
    )
    code, told = ran(node, tmp_path)
    assert code == 0
    assert node.done == [
        "DELETE /.ds-logs-redis-x-2026.11.28-000001",
        "POST /logs-redis-x/_rollover",
    ]
    assert "trading_log_retention_deleted_indices 1\n" in told
    assert "trading_log_retention_rolled_over 1\n" in told
    assert "logs-stray-x is no stream of the inventory and is left alone" in capsys.readouterr().out


def test_where_nothing_is_due_it_only_says_that_it_looked(tmp_path: Path) -> None:
    node = Elasticsearch({"logs-app-x": [(400, 0)], "logs-redis-x": []})
    code, told = ran(node, tmp_path)
    assert (code, node.done) == (0, [])
    assert "trading_log_retention_deleted_indices 0\n" in told
    assert "trading_log_retention_last_success_timestamp_seconds " in told


def test_elasticsearchs_own_lifecycle_is_not_interfered_with(tmp_path: Path) -> None:
    node = Elasticsearch({"logs-app-x": [(900, 3), (800, 3)]}, lifecycle=200)
    assert ran(node, tmp_path) == (0, "")
    assert node.done == []


@pytest.mark.parametrize("status", [0, 403, 503])
def test_what_cannot_be_asked_deletes_nothing(tmp_path: Path, status: int) -> None:
    """No answer is not the answer that there is no lifecycle."""
    node = Elasticsearch({"logs-app-x": [(900, 3), (800, 3)]}, lifecycle=status)
    with pytest.raises(retention.TroubleError):
        ran(node, tmp_path)
    assert node.done == []


def test_a_trouble_is_told_and_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"node": "https://127.0.0.1:9", "ca": None, "user": "admin", "password": "p"}
    (tmp_path / "settings").write_text(json.dumps(settings), encoding="utf-8")
    monkeypatch.setattr(retention, "SETTINGS", tmp_path / "settings")
    monkeypatch.setattr("sys.argv", ["log_retention.py", "run"])
    assert retention.main() == 1
    assert "127.0.0.1:9 does not answer" in capsys.readouterr().out
