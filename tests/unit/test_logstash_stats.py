# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logstash's numbers in the collector's words, and a collector that is empty before another one has its place."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
stats = imported(ROOT / "roles/logstash/templates/tree/usr/local/lib/trading-platform/logstash_stats.py")
store = imported(ROOT / "roles/log_collector/templates/tree/usr/local/lib/trading-platform/log_store.py")
spools, tallies = sys.modules["log_store_spool"], sys.modules["log_store_tally"]


def said(documents: dict[str, int] | None = None, waits: int = 0, aside: int = 0) -> dict[str, Any]:
    """As Logstash 8 answers; a number is there when the first was counted."""
    outputs = [
        {"id": "store", "documents": documents or {}, "bulk_requests": {"failures": 2, "with_errors": 1}},
        {"id": "refused", "events": {"in": aside}},
    ]
    waiting = {"type": "persisted", "events_count": waits, "queue_size_in_bytes": 4096}
    return {"pipelines": {"logs": {"plugins": {"outputs": outputs}, "queue": waiting}}}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (said(), (0, 0, 0, 0, 3, 0)),
        (said({"successes": 7, "non_retryable_failures": 2, "dlq_routed": 1}, 5, 4), (7, 2, 1, 4, 3, 4096)),
        ({"pipelines": {"logs": {}}}, (0, 0, 0, 0, 0, 0)),
    ],
)
def test_numbers(answer: dict[str, Any], found: tuple[int, ...]) -> None:
    assert stats.numbers(answer) == stats.Numbers(*found)


def test_no_such_pipeline() -> None:
    with pytest.raises(stats.NoAnswerError, match="no pipeline named logs"):
        stats.numbers({"pipelines": {"main": {}}})


def test_the_words_are_the_collectors() -> None:
    ours = stats.text(stats.Numbers(1, 2, 3, 4, 5, 6), 1000.4)
    theirs = tallies.Tally("", 1, 2, 3, 4, 5, 1000.4, 6).text()
    assert ours == theirs


@pytest.mark.parametrize(("waits", "code"), [(0, 0), (3, 1)])
def test_logstash_makes_room_once_it_is_empty(monkeypatch: pytest.MonkeyPatch, waits: int, code: int) -> None:
    monkeypatch.setattr(stats, "asked", lambda _url: stats.numbers(said(waits=waits)))
    assert stats.drained("", patience=0) == code


def test_a_logstash_that_does_not_run_is_not_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(_url: str) -> Any:
        raise stats.NoAnswerError("refused")

    monkeypatch.setattr(stats, "asked", asked)
    assert stats.drained("") == 1


@pytest.mark.parametrize(
    ("files", "position", "left"),
    [
        ({}, None, 0),
        ({"000000000001": 10}, None, 10),
        ({"000000000001": 10}, {"number": 1, "offset": 10}, 0),
        ({"000000000001": 10, "000000000002": 5}, {"number": 1, "offset": 4}, 11),
        # Half done with when the machine fell: the first is read, and only its removal is missing.
        ({"000000000001": 10, "000000000002": 5}, {"number": 2, "offset": 5}, 0),
        ({"000000000001": 10}, "broken", 10),
    ],
)
def test_the_collector_makes_room_once_it_is_empty(
    tmp_path: Path, files: dict[str, int], position: Any, left: int
) -> None:
    for name, size in files.items():
        (tmp_path / name).write_bytes(b"x" * size)
    if position is not None:
        (tmp_path / "position").write_text(json.dumps(position))
    assert spools.left(tmp_path) == left
    assert store.drained(tmp_path, patience=0) == (1 if left else 0)
