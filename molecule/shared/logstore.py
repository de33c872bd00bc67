"""Writes numbered lines to a host's journal, and counts what the log store has of them."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from fleet import NAME, container, docker
from probe import execute, secret

COLLECTOR = "ops1"
# Runs on a host: datagrams to the journal, as programs send them; bounded in count.
WRITE = """
import json, socket, sys, time
run, count, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.connect("/run/systemd/journal/socket")
began = time.monotonic()
for number in range(count):
    message = {"level": "info", "message": "story", "request_id": run, "n": number, "route": "/api/orders", "ms": 1.5}
    journal.send(b"SYSLOG_IDENTIFIER=story\\nPRIORITY=6\\nMESSAGE=" + json.dumps(message).encode() + b"\\n")
    wait = began + (number + 1) / rate - time.monotonic()
    if wait > 0:
        time.sleep(wait)
print(round(time.monotonic() - began, 2))
"""
# Runs on the collector's host: one question to Elasticsearch, name and password by the environment.
ASK = """
import base64, json, os, ssl, sys, urllib.error, urllib.request
method, path, body = sys.argv[1:4]
context = ssl.create_default_context(cafile="/etc/trading-platform/pki/elasticsearch/ca.pem")
headers = {"Content-Type": "application/x-ndjson" if "_bulk" in path else "application/json"}
if os.environ.get("LOGIN"):
    headers["Authorization"] = "Basic " + base64.b64encode(os.environ["LOGIN"].encode()).decode()
asked = urllib.request.Request("https://127.0.0.1:9200" + path, body.encode() or None, headers, method=method)
try:
    with urllib.request.urlopen(asked, context=context, timeout=60) as answer:
        print(json.dumps([answer.status, json.loads(answer.read() or b"{}")]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, {}]))
except OSError as error:
    print(json.dumps([0, {"error": str(error)}]))
"""


@dataclass(frozen=True)
class Delivered:
    """What the store has of a run."""

    wanted: int
    distinct: int
    doubled: int

    @property
    def lost(self) -> int:
        return self.wanted - self.distinct

    def assert_exactly_once(self) -> None:
        assert (self.lost, self.doubled) == (0, 0), self


def ask(method: str, path: str, body: Any = "", user: str = "admin", password: str | None = None) -> tuple[int, Any]:
    """The store's answer to one user, at the store's own host."""
    known = {"admin": "admin", "logs_writer": "writer", "logs_reader": "reader"}
    word = password if password is not None else secret(f"vault_elasticsearch_{known[user]}_password")
    text = body if isinstance(body, str) else json.dumps(body)
    said = json.loads(
        execute(COLLECTOR, "python3", "-c", ASK, method, path, text, LOGIN=f"{user}:{word}" if user else "")
    )
    return said[0], said[1]


def new_run() -> str:
    return f"story-{secrets.token_hex(6)}"


def write(host: str, run: str, count: int, rate: float = 1e9) -> subprocess.Popen[str]:
    """Goes on while its caller breaks things."""
    return subprocess.Popen(
        ["docker", "exec", container(host), "python3", "-c", WRITE, run, str(count), str(rate)],
        stdout=subprocess.PIPE,
        text=True,
    )


def count(run: str) -> int:
    ask("POST", "/logs-*/_refresh")
    status, said = ask("POST", "/logs-*/_count", {"query": {"term": {"http.request.id": run}}})
    return int(said["count"]) if status == 200 else -1


def wait_delivered(run: str, wanted: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while count(run) < wanted and time.monotonic() < until:
        time.sleep(1)


def delivered(run: str, wanted: int, seconds: float = 120) -> Delivered:
    """Waits for as many as were written, and then counts each one."""
    wait_delivered(run, wanted, seconds)
    seen: Counter[str] = Counter()
    after: list[Any] = []
    while True:
        body = {
            "size": 5000, "query": {"term": {"http.request.id": run}}, "sort": [{"event.id": "asc"}],
            "_source": ["fields.n"],
            **({"search_after": after} if after else {}),
        }  # fmt: skip
        _status, said = ask("POST", "/logs-*/_search", body)
        hits = said.get("hits", {}).get("hits", [])
        if not hits:
            break
        seen.update(hit["_source"]["fields"]["n"] for hit in hits)
        after = hits[-1]["sort"]
    return Delivered(wanted, len(seen), sum(seen.values()) - len(seen))


def unit(host: str, verb: str, name: str) -> None:
    ran = docker("exec", container(host), "systemctl", *verb.split(), name)
    assert ran.code == 0, ran.output


def wait_store(seconds: float = 180) -> None:
    until = time.monotonic() + seconds
    while ask("GET", "/_cluster/health")[0] != 200:
        assert time.monotonic() < until, f"the log store of {NAME} did not come back within {seconds} s"
        time.sleep(1)
