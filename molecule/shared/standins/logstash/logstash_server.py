#!/usr/bin/python3
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for Logstash in tests: it is not Logstash.

It reads logstash.yml, pipelines.yml and the pipeline as strictly as it can: what it does not know ends it here. Then it
listens by TLS to whoever shows a certificate, takes each line through the pipeline's own conditions and filters, and
stores it in Elasticsearch. What it has read and not stored is lost when it ends: Logstash's queue on disk and its queue
of dead letters it has not. Names are those of Logstash 8.
"""

from __future__ import annotations

import base64
import http.client
import http.server
import json
import os
import queue
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, "/usr/share/logstash")
import logstash_pipeline as language

KNOWN = Path("/usr/share/logstash/known.json")
BATCH = 500
CONFLICT = 409
NEVER = (400, 404)


class Refusal(Exception):  # noqa: N818 - what it says to whoever asks
    """Why it does not start."""


def lines(path: Path) -> dict[str, Any]:
    """A file of flat names with values in JSON, which is YAML too."""
    found: dict[str, Any] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            name, colon, value = line.partition(": ")
            if not colon or name in found:
                raise Refusal(f"{path}:{number}: {name} has no value, or is there twice")
            found[name] = json.loads(value)
    return found


def settings(path: Path) -> dict[str, Any]:
    known = json.loads(KNOWN.read_text())["settings"]
    found = lines(path)
    strange = sorted(set(found) - set(known))
    if strange:
        raise Refusal(f"{path}: Setting {strange[0]!r} doesn't exist")
    return found


def judged(given: Mapping[str, Any]) -> None:
    """What the role promises, and a default of Logstash would break."""
    wanted: dict[str, Any] = {
        "queue.type": "persisted",
        "dead_letter_queue.enable": True,
        "dead_letter_queue.storage_policy": "drop_older",
        "api.http.host": "127.0.0.1",
        "pipeline.ecs_compatibility": "v8",
    }
    for name, good in wanted.items():
        if given.get(name) != good:
            raise Refusal(f"{name} is {given.get(name)!r}, not {good!r}")
    for name in ("queue.max_bytes", "dead_letter_queue.max_bytes"):
        if not str(given.get(name, "")).removesuffix("mb").isdigit():
            raise Refusal(f"{name} is {given.get(name)!r}: without bounds")


def configuration(folder: Path) -> tuple[str, Path]:
    """The one pipeline: its name and its file."""
    found = []
    for line in (folder / "pipelines.yml").read_text().splitlines():
        if line.startswith("- "):
            found.append(json.loads(line[2:]))
    known = json.loads(KNOWN.read_text())["pipelines"]
    if len(found) != 1 or set(found[0]) - set(known) or "pipeline.id" not in found[0]:
        raise Refusal("pipelines.yml: not one pipeline with known settings")
    return found[0]["pipeline.id"], Path(found[0]["path.config"])


def checked(pipeline: language.Pipeline) -> None:
    """What Logstash would take, and the role must never write."""
    inputs, outputs = pipeline.plugins("input"), pipeline.plugins("output")
    if not inputs or not outputs:
        raise Refusal("a pipeline without input or output")
    everything = [*inputs, *pipeline.plugins("filter"), *outputs]
    names = [one.options.get("id") for one in everything]
    if None in names or len(set(names)) != len(names):
        raise Refusal("a plugin has no id, or two have the same")
    for one in inputs:
        if not one.options.get("ssl_enabled") or one.options.get("ssl_client_authentication") != "required":
            raise Refusal(f"line {one.line}: input {one.name}: no TLS, or none that asks for a certificate")
        if not Path(one.options["ssl_key"]).read_text().startswith("-----BEGIN PRIVATE KEY-----"):
            raise Refusal(f"line {one.line}: input {one.name}: the key is not PKCS#8")
    for one in outputs:
        if one.name == "elasticsearch":
            checked_store(one)


def checked_store(one: language.Plugin) -> None:
    options = one.options
    if options.get("ssl_verification_mode") != "full" or not options.get("ssl_certificate_authorities"):
        raise Refusal(f"line {one.line}: output elasticsearch checks no certificate")
    if not all(str(host).startswith("https://") for host in options["hosts"]):
        raise Refusal(f"line {one.line}: output elasticsearch without TLS")
    if options.get("action") != "create" or options.get("data_stream") != "false" or "document_id" not in options:
        raise Refusal(f"line {one.line}: output elasticsearch: what comes twice would be stored twice")
    if not options.get("password"):
        raise Refusal(f"line {one.line}: output elasticsearch: the password is empty")


# ----- what it does


class Store:
    """The elasticsearch output: tried again for as long as it takes."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options
        self.hosts = [urlsplit(host) for host in options["hosts"]]
        self.context = ssl.create_default_context(cafile=options["ssl_certificate_authorities"][0])
        login = base64.b64encode(f"{options['user']}:{options['password']}".encode()).decode()
        self.headers = {"Authorization": f"Basic {login}", "Content-Type": "application/x-ndjson"}
        self.counts = {"successes": 0, "non_retryable_failures": 0, "dlq_routed": 0}
        self.failures = 0

    def lines(self, event: language.Event) -> str:
        where = {
            "_index": language.sprintf(event, self.options["index"]),
            "_id": language.sprintf(event, self.options["document_id"]),
        }
        shown = {name: value for name, value in event.items() if name != "@metadata"}
        return json.dumps({"create": where}) + "\n" + json.dumps(shown) + "\n"

    def bulk(self, body: str) -> list[int]:
        host = self.hosts[0]
        connection = http.client.HTTPSConnection(str(host.hostname), host.port, timeout=30, context=self.context)
        try:
            connection.request("POST", "/_bulk?filter_path=errors,items.*.status", body.encode(), self.headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != http.client.OK:
                raise OSError(f"HTTP {answer.status}: {said[:200]!r}")
            return [int(one["create"]["status"]) for one in json.loads(said)["items"]]
        finally:
            connection.close()

    def store(self, events: list[language.Event]) -> None:
        while events:
            try:
                codes = self.bulk("".join(map(self.lines, events)))
            except (OSError, ValueError, KeyError, http.client.HTTPException) as problem:
                self.failures += 1
                sys.stderr.write(f"[WARN ] elasticsearch: {problem}\n")
                self.hosts.append(self.hosts.pop(0))
                time.sleep(1)
                continue
            later = []
            for event, code in zip(events, codes, strict=True):
                if code in (200, 201):
                    self.counts["successes"] += 1
                elif code == CONFLICT:
                    self.counts["non_retryable_failures"] += 1
                elif code in NEVER:
                    self.counts["dlq_routed"] += 1
                else:
                    later.append(event)
            events = later
            if later:
                time.sleep(1)


class World:
    """Everything it knows."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings(folder / "logstash.yml")
        judged(self.settings)
        self.id, path = configuration(folder)
        self.pipeline = language.read(path.read_text(), json.loads(KNOWN.read_text()), os.environ)
        checked(self.pipeline)
        self.input = self.pipeline.plugins("input")[0].options
        outputs = self.pipeline.plugins("output")
        self.store = Store(next(one.options for one in outputs if one.name == "elasticsearch"))
        self.waiting: queue.Queue[str] = queue.Queue(20000)
        self.busy = False
        self.refused: dict[str, int] = {one.options["id"]: 0 for one in outputs if one.name == "file"}

    def event(self, line: str, subject: str) -> language.Event:
        metadata = {"input": {"tcp": {"ssl": {"subject": subject}}}}
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        return {
            "@metadata": metadata,
            "@timestamp": stamp,
            "@version": "1",
            "message": line,
            "event": {"original": line},
        }

    def work(self) -> None:
        while True:
            batch = [self.waiting.get()]
            self.busy = True
            while len(batch) < BATCH and not self.waiting.empty():
                batch.append(self.waiting.get())
            due = []
            for one in batch:
                subject, _, line = one.partition("\n")
                event = self.event(line, subject)
                for plugin in language.through(self.pipeline, event):
                    if plugin.name == "file":
                        self.aside(plugin, event)
                    else:
                        due.append(event)
            self.store.store(due)
            self.busy = False

    def aside(self, plugin: language.Plugin, event: language.Event) -> None:
        day = str(event["@timestamp"])[:10]
        path = Path(language.sprintf(event, plugin.options["path"].replace("%{+YYYY-MM-dd}", day)))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(language.sprintf(event, plugin.options["codec"].options["format"]) + "\n")
        self.refused[plugin.options["id"]] += 1

    def stats(self) -> dict[str, Any]:
        outputs: list[dict[str, Any]] = [
            {"id": name, "name": "file", "events": {"in": count}} for name, count in self.refused.items()
        ]
        store = {"documents": self.store.counts, "bulk_requests": {"failures": self.store.failures}}
        outputs.append({"id": self.store.options["id"], "name": "elasticsearch", **store})
        count = self.waiting.qsize() + int(self.busy)
        waits = {"type": "persisted", "events_count": count, "queue_size_in_bytes": count * 1000}
        return {"pipelines": {self.id: {"plugins": {"outputs": outputs}, "queue": waits}}}


def subject_of(certificate: Mapping[str, Any]) -> str:
    """As Java writes it: the last part first."""
    short = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C"}
    parts = [f"{short.get(name, name)}={value}" for part in certificate["subject"] for name, value in part]
    return ",".join(reversed(parts))


class Hosts(socketserver.ThreadingTCPServer):
    """Lines by TLS."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, world: World) -> None:
        given = world.input
        self.world = world
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(given["ssl_certificate"], given["ssl_key"])
        self.context.load_verify_locations(given["ssl_certificate_authorities"][0])
        self.context.verify_mode = ssl.CERT_REQUIRED
        super().__init__((given["host"], given["port"]), socketserver.BaseRequestHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(30)
        try:
            secured = self.context.wrap_socket(request, server_side=True)
            secured.settimeout(None)
            who = subject_of(secured.getpeercert() or {"subject": ()})
            for line in secured.makefile("rb"):
                self.world.waiting.put(f"{who}\n{line.decode('utf-8', 'replace').rstrip(chr(10))}")
        except OSError as problem:
            sys.stderr.write(f"[ERROR] input tcp: {client_address[0]}: {problem}\n")


class Api(http.server.BaseHTTPRequestHandler):
    """Its numbers, on loopback."""

    world: World

    def do_GET(self) -> None:
        said: dict[str, Any] = {"version": "8.19.0+standin", "status": "green"}
        if self.path.startswith("/_node/stats"):
            said.update(self.world.stats())
        text = json.dumps(said, separators=(",", ":")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *words: Any) -> None:
        """Nothing of each request."""


def main(words: list[str]) -> int:
    folder = Path(words[1]) if words[:1] == ["--path.settings"] and len(words) > 1 else Path("/etc/logstash")
    try:
        world = World(folder)
        hosts = Hosts(world)
        api = http.server.ThreadingHTTPServer(
            (world.settings["api.http.host"], world.settings["api.http.port"]), type("Bound", (Api,), {"world": world})
        )
    except (Refusal, language.PipelineError, OSError, ValueError, KeyError) as problem:
        sys.stderr.write(f"[FATAL] logstash (stand-in): {problem}\n")
        return 1
    threading.Thread(target=api.serve_forever, daemon=True).start()
    threading.Thread(target=world.work, daemon=True).start()
    hosts.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
