# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collector's program: what Elasticsearch says and what follows, and the files in between."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from program import imported

ROLE = Path(__file__).resolve().parents[2] / "roles/log_collector"
store = imported(ROLE / "templates/tree/usr/local/lib/trading-platform/log_store.py")
elasticsearch, spools, tallies = (sys.modules[f"log_store_{name}"] for name in ("elasticsearch", "spool", "tally"))
STREAMS = ["logs-app-test"]


def line(number: int, stream: str = "logs-app-test") -> bytes:
    return f'{stream} id{number:08d} {{"n":{number}}}\n'.encode()


def documents(count: int) -> list[Any]:
    return [elasticsearch.Document("logs-app-test", f"id{number:08d}", "{}") for number in range(count)]


def body(*codes: int) -> str:
    return json.dumps(
        {"items": [{"create": {"status": code, "error": {"type": "t", "reason": "r"}}} for code in codes]}
    )


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ('logs-app-test abcdef01 {"a":1}', True),
        ('logs-other-test abcdef01 {"a":1}', False),
        ("logs-app-test abcdef01 no document", False),
        ('logs-app-test short {"a":1}', False),
        ('logs-app-test abcdef01","x":"y {"a":1}', False),
        ("", False),
    ],
)
def test_what_is_a_document(text: str, taken: bool) -> None:
    assert (elasticsearch.read(text, STREAMS) is not None) is taken


@pytest.mark.parametrize(
    ("status", "answer", "created", "known", "refused", "later"),
    [
        (200, body(201, 409), 1, 1, 0, 0),
        (200, body(201, 400), 1, 0, 1, 0),
        (200, body(429, 503), 0, 0, 0, 2),
        (200, body(403, 201), 1, 0, 0, 1),
        (200, body(201), 0, 0, 0, 2),
        (401, "no", 0, 0, 0, 2),
        (503, '{"error": {}}', 0, 0, 0, 2),
        (200, "half a repl", 0, 0, 0, 2),
        (200, "[]", 0, 0, 0, 2),
    ],
)
def test_what_an_answer_means(  # noqa: PLR0917 - a table
    status: int, answer: str, created: int, known: int, refused: int, later: int
) -> None:
    found = elasticsearch.outcome(documents(2), status, answer)
    assert (found.created, found.known, len(found.refused), len(found.later)) == (created, known, refused, later)


def test_a_request_that_is_too_large_is_halved(tmp_path: Path) -> None:
    sizes: list[int] = []

    def bulk(given: list[Any]) -> Any:
        sizes.append(len(given))
        return elasticsearch.outcome(given, *((413, "") if len(given) > 1 else (200, body(201))))

    tally = tallies.Tally("")
    store.stored(documents(3), bulk, tally, tallies.Refused(tmp_path / "refused", 100))
    assert (tally.created, sizes) == (3, [3, 1, 2, 1, 1])


def test_what_is_never_taken_is_put_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    tally, refused = tallies.Tally(""), tallies.Refused(tmp_path / "refused", 100)
    store.stored(documents(2), lambda given: elasticsearch.outcome(given, 200, body(400, 201)), tally, refused)
    assert (tally.created, tally.refused) == (1, 1)
    assert "id00000000" in (tmp_path / "refused").read_text()


def shipped(spool: Any, failures: int = 0) -> list[str]:
    """Everything that is there, by the ids; so many attempts fail first."""
    got: list[str] = []
    left = [failures]

    def commit(given: list[Any]) -> None:
        if left[0]:
            left[0] -= 1
            raise elasticsearch.NotNowError("away")
        got.extend(one.id for one in given)

    sink = store.Sink(STREAMS, commit, lambda text: None, lambda text: None, lambda seconds: None)
    while store.ship(spool, sink):
        pass
    return got


def ids(*numbers: int) -> list[str]:
    return [f"id{number:08d}" for number in numbers]


def test_what_came_in_goes_out_in_its_order_through_files_and_failures(tmp_path: Path) -> None:
    spool = spools.Spool(tmp_path, 10_000, segment=100)
    said: list[bytes] = []
    store.receive(iter([line(number) for number in range(20)]), said.append, spool)
    assert said == [b"OK\n"] * 20
    assert shipped(spool, failures=3) == ids(*range(20))
    assert len(spool.numbers()) == 1


def test_a_killed_program_sends_again_what_it_had_not_noted(tmp_path: Path) -> None:
    spool = spools.Spool(tmp_path, 10_000)
    for number in range(3):
        spool.append(line(number))
    shipped(spool)
    spool.note()
    spool.append(line(3))
    assert shipped(spool) == ids(3)
    # Killed before its next note, half a line in its file.
    spool.append(line(4)[:10])
    after = spools.Spool(tmp_path, 10_000)
    after.append(line(5))
    assert shipped(after) == ids(3, 5)


def test_without_a_readable_note_everything_is_sent_again(tmp_path: Path) -> None:
    spools.Spool(tmp_path, 10_000).append(line(1))
    (tmp_path / "position").write_text("")
    assert shipped(spools.Spool(tmp_path, 10_000)) == ids(1)


def test_a_full_spool_makes_the_hosts_wait(tmp_path: Path) -> None:
    spool = spools.Spool(tmp_path, 10)
    spool.append(line(1))
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        shipped(spool)
        spool.largest = 10_000

    spool.looked -= 1
    store.receive(iter([line(2)]), lambda word: None, spool, sleep)
    assert waits == [0.2]


def test_what_waits_is_told_as_it_is_when_no_line_comes_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = spools.Spool(tmp_path, 1 << 20)
    for number in range(3):
        spool.append(line(number))
    spool.looked = 0
    spool.full()  # the receiver's look, its last one
    told = tmp_path / "told"
    clock = iter(range(0, 10_000, 20))
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) > 1:
            raise KeyboardInterrupt

    def bulk(given: list[Any]) -> Any:
        return elasticsearch.outcome(given, 200, body(*[201] * len(given)))

    monkeypatch.setattr(store.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(store.time, "sleep", nap)
    monkeypatch.setattr(store.os, "_exit", lambda _code: None)
    settings = {"metrics": str(told), "refused": str(tmp_path / "refused"), "refused_bytes": 1, "streams": STREAMS}
    store.sender(spool, settings, SimpleNamespace(bulk=bulk))
    assert "trading_log_store_waiting_bytes 0\n" in told.read_text(encoding="utf-8")
    assert 'result="created"} 3\n' in told.read_text(encoding="utf-8")
