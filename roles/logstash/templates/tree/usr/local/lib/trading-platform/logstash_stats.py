#!/usr/bin/python3 -I
"""Logstash's numbers in the words of the rsyslog collector, so that alerts and dashboards hold for both.

Managed by Ansible (role logstash).

usage: logstash_stats.py run URL FILE       writes FILE for node-exporter, for ever
       logstash_stats.py drained URL [ANY]  waits a minute for an empty queue; exits 1 where it does not become so
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVERY = 15
PATIENCE = 60
NAME = "trading_log_store"


class NoAnswerError(Exception):
    """Logstash does not tell."""


@dataclass(frozen=True)
class Numbers:
    """What became of documents since Logstash started, and what waits."""

    created: int
    known: int
    refused: int
    strange: int
    failures: int
    waiting: int


def number(data: Any, *path: str) -> int:
    """0 where it is not there: Logstash names a number when it has counted the first."""
    for word in path:
        data = data.get(word) if isinstance(data, Mapping) else None
    return int(data) if isinstance(data, (int, float)) else 0


def numbers(said: Mapping[str, Any]) -> Numbers:
    """Out of /_node/stats/pipelines/logs."""
    pipeline = said.get("pipelines", {}).get("logs")
    if not isinstance(pipeline, Mapping):
        raise NoAnswerError("Logstash has no pipeline named logs")
    outputs = {one.get("id"): one for one in pipeline.get("plugins", {}).get("outputs", [])}
    store, queue = outputs.get("store", {}), pipeline.get("queue", {})
    return Numbers(
        created=number(store, "documents", "successes"),
        # With a queue for dead letters only what was there already is counted here.
        known=number(store, "documents", "non_retryable_failures"),
        refused=number(store, "documents", "dlq_routed"),
        strange=number(outputs.get("refused"), "events", "in"),
        failures=number(store, "bulk_requests", "failures") + number(store, "bulk_requests", "with_errors"),
        # The files keep what is done with until a page is full.
        waiting=number(queue, "queue_size_in_bytes") if number(queue, "events_count") else 0,
    )


def text(found: Numbers, last: float) -> str:
    results = {
        "created": found.created,
        "known": found.known,
        "refused": found.refused,
        "strange": found.strange,
    }
    return "".join(
        f"{line}\n"
        for line in (
            f"# HELP {NAME}_documents_total Documents by what became of them.",
            f"# TYPE {NAME}_documents_total counter",
            *(f'{NAME}_documents_total{{result="{what}"}} {count}' for what, count in results.items()),
            f"# HELP {NAME}_failures_total Attempts that Elasticsearch did not take.",
            f"# TYPE {NAME}_failures_total counter",
            f"{NAME}_failures_total {found.failures}",
            f"# HELP {NAME}_waiting_bytes What waits on disk.",
            f"# TYPE {NAME}_waiting_bytes gauge",
            f"{NAME}_waiting_bytes {found.waiting}",
            f"# HELP {NAME}_last_success_timestamp_seconds When documents were last stored.",
            f"# TYPE {NAME}_last_success_timestamp_seconds gauge",
            f"{NAME}_last_success_timestamp_seconds {last:.0f}",
        )
    )


def asked(url: str) -> Numbers:
    try:
        with urllib.request.urlopen(f"{url}/_node/stats/pipelines/logs", timeout=5) as answer:  # noqa: S310 - our own
            return numbers(json.load(answer))
    except (OSError, ValueError) as problem:
        raise NoAnswerError(f"{url}: {problem}") from None


def put(place: Path, said: str) -> None:
    if place.parent.is_dir():
        part = place.with_suffix(".part")
        part.write_text(said)
        part.chmod(0o644)
        part.replace(place)


def run(url: str, place: Path) -> None:
    """Where Logstash does not tell, the file stays: the alert on its last success fires by itself."""
    before, last = 0, 0.0
    while True:
        try:
            found = asked(url)
        except NoAnswerError:
            before = 0
        else:
            stored = found.created + found.known
            if stored > before:
                last = time.time()
            before = stored
            put(place, text(found, last))
        time.sleep(EVERY)


def drained(url: str, patience: float = PATIENCE) -> int:
    """Whether Elasticsearch has all that hosts have handed over."""
    end = time.monotonic() + patience
    while True:
        try:
            found = asked(url)
        except NoAnswerError as problem:
            sys.stderr.write(f"logstash_stats: {problem}. Start it, so that what waits in its queue is stored first.\n")
            return 1
        if not found.waiting:
            return 0
        if time.monotonic() > end:
            sys.stderr.write(
                f"logstash_stats: {found.waiting} bytes wait for Elasticsearch. "
                "See that it takes them, then run again.\n"
            )
            return 1
        time.sleep(1)


def main(words: list[str]) -> int:
    if words[:1] == ["run"] and len(words) == 3:  # noqa: PLR2004 - a verb, an address and a file
        run(words[1], Path(words[2]))
    elif words[:1] == ["drained"] and len(words) > 1:
        return drained(words[1])
    else:
        sys.stderr.write(str(__doc__))
        return 0 if words in (["-h"], ["--help"]) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
