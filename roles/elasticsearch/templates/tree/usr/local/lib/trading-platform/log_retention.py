#!/usr/bin/python3
# Managed by Ansible, role elasticsearch.
"""Rolls streams over and deletes what is past its time, where Elasticsearch has no data-stream lifecycle; says whether
the node is well.

log_retention.py run | health [--wait SECONDS] | restart | certificates
"""

from __future__ import annotations

import argparse
import base64
import grp
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SETTINGS = Path("/etc/trading-platform/elasticsearch/retention.json")
HOUR, GB = 3600.0, 1 << 30
SECONDS = {"d": 24 * HOUR, "h": HOUR, "m": 60.0}


class TroubleError(Exception):
    """What went wrong; `status` is HTTP's, 0 where nobody answered."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Index:
    """A part of a stream; the last one is written to. Times in seconds of the epoch."""

    name: str
    created: float
    bytes: int
    documents: int


def seconds(retention: str) -> float:
    return float(retention[:-1]) * SECONDS[retention[-1]]


def wants_rollover(last: Index, now: float, hours: float, gigabytes: float) -> bool:
    """An empty one is left: it would only be one more."""
    return last.documents > 0 and (now - last.created > hours * HOUR or last.bytes > gigabytes * GB)


def past(indices: Sequence[Index], now: float, retention: float) -> list[str]:
    """An index is past when its newest document is: that is no younger than the next index. The one that is written to
    stays."""
    pairs = pairwise(indices)
    return [one.name for one, following in pairs if now - following.created > retention]


class Node:
    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.where = urlsplit(settings["node"])
        self.context = ssl.create_default_context(cafile=settings["ca"])
        login = base64.b64encode(f"{settings['user']}:{settings['password']}".encode()).decode()
        self.headers = {"Content-Type": "application/json", "Authorization": f"Basic {login}"}

    def ask(self, method: str, path: str, timeout: float = 60) -> Any:
        connection = http.client.HTTPSConnection(
            str(self.where.hostname), self.where.port, timeout=timeout, context=self.context
        )
        try:
            connection.request(method, path, None, self.headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise TroubleError(f"{self.where.netloc} does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise TroubleError(f"{method} {path}: HTTP {answer.status}: {text[:300]}", answer.status)
        return json.loads(text) if text else {}

    def streams(self) -> dict[str, list[Index]]:
        """By name, oldest index first."""
        found = self.ask("GET", "/_resolve/index/logs-*")["data_streams"]
        sizes = self.ask(
            "GET",
            "/_cat/indices/logs-*?format=json&bytes=b&h=index,creation.date,store.size,docs.count&expand_wildcards=all",
        )
        known = {
            one["index"]: Index(
                one["index"], int(one["creation.date"]) / 1000, int(one["store.size"] or 0), int(one["docs.count"] or 0)
            )
            for one in sizes
        }
        # The names end in the generation's number.
        return {
            one["name"]: sorted(
                (known[name] for name in one["backing_indices"] if name in known), key=lambda index: index.name[-6:]
            )
            for one in found
        }

    def has_lifecycle(self) -> bool:
        try:
            self.ask("GET", "/_lifecycle/stats")
        except TroubleError as error:
            # What one that knows no lifecycle says of an address that it does not know.
            if error.status in {http.client.BAD_REQUEST, http.client.METHOD_NOT_ALLOWED}:
                return False
            raise
        return True


def run(node: Node, settings: Mapping[str, Any]) -> int:
    if node.has_lifecycle():
        say("Elasticsearch has a lifecycle of its own, which keeps the times. Nothing to do.")
        return 0
    rolled = deleted = 0
    for name, indices in node.streams().items():
        retention = settings["retentions"].get(name)
        if retention is None:
            say(f"{name} is no stream of the inventory and is left alone")
            continue
        for index in past(indices, time.time(), seconds(retention)):
            node.ask("DELETE", f"/{index}")
            say(f"deleted {index}: all of it is older than {retention}")
            deleted += 1
        if indices and wants_rollover(indices[-1], time.time(), settings["rollover_hours"], settings["rollover_gb"]):
            node.ask("POST", f"/{name}/_rollover")
            rolled += 1
    report(
        settings["metrics"],
        {"deleted_indices": deleted, "rolled_over": rolled, "last_success_timestamp_seconds": int(time.time())},
    )
    return 0


def report(path: str, figures: Mapping[str, int]) -> None:
    place = Path(path)
    if place.parent.is_dir():
        lines = [
            f"# TYPE trading_log_retention_{name} gauge\ntrading_log_retention_{name} {value}\n"
            for name, value in figures.items()
        ]
        part = place.with_suffix(".part")
        part.write_text("".join(lines))
        part.chmod(0o644)
        part.replace(place)


def health(node: Node, wait: float) -> int:
    """Yellow is well: a copy is missing, nothing else."""
    until = time.monotonic() + wait
    while True:
        try:
            state = node.ask("GET", "/_cluster/health", 5)["status"]
            problem = "" if state in ("green", "yellow") else f"the cluster is {state}: documents cannot be reached"
        except TroubleError as error:
            problem = str(error)
        if not problem:
            return 0
        if time.monotonic() >= until:
            say(problem)
            return 1
        time.sleep(1)


def restart(node: Node, settings: Mapping[str, Any]) -> int:
    """A running member, and not while another one is missing."""
    if subprocess.run(["systemctl", "is-active", "--quiet", "elasticsearch.service"], check=False).returncode:
        return 0
    if health(node, settings["wait"]):
        say("not well, and restarted all the same: the files that landed may be what it needs")
    subprocess.run(["systemctl", "restart", "elasticsearch.service"], check=True)
    return health(node, settings["wait"])


def certificates(pki: Path, into: Path) -> int:
    """Elasticsearch reads nothing outside its own directory, and what changes there within seconds."""
    group = grp.getgrnam("elasticsearch").gr_gid
    into.mkdir(mode=0o750, exist_ok=True)
    os.chown(into, 0, group)
    for name in ("key.pem", "fullchain.pem", "ca.pem"):
        part = into / f".{name}"
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "w", encoding="ascii") as file:
            file.write((pki / name).read_text(encoding="ascii"))
        os.chown(part, 0, group)
        part.replace(into / name)
    return 0


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - to the journal, or to the person who asked


def main() -> int:
    parser = argparse.ArgumentParser(description=re.sub(r"\s+", " ", str(__doc__)))
    parser.add_argument("what", choices=["run", "health", "restart", "certificates"])
    parser.add_argument("--wait", type=float, default=0)
    words = parser.parse_args()
    settings = json.loads(SETTINGS.read_text())
    if words.what == "certificates":
        return certificates(Path(settings["pki"]), Path("/etc/elasticsearch/tls"))
    node = Node(settings)
    try:
        if words.what == "run":
            return run(node, settings)
        return health(node, words.wait) if words.what == "health" else restart(node, settings)
    except TroubleError as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
