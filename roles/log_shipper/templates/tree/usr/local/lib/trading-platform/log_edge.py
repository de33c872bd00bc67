#!/usr/bin/python3 -IB
# Managed by Ansible, role log_shipper.
"""Makes one ECS document out of each log entry: structured, with an id of its own, secrets and personal data masked.

rsyslog's mmexternal starts it, writes each message as a line of JSON and waits for the answer. A message that comes
back without a document is not shipped (rsyslog.conf sees to that), so whatever fails here fails closed: the entry stays
in the host's journal. The id is made of what the entry is, not by chance: an entry that is read twice has the same id,
and the log store takes it once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Isolated (-I), Python does not look beside the program; without bytecode (-B), it leaves nothing there.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from log_edge_fields import LEVELS, Document, moment, put
from log_edge_lines import PARSERS
from log_edge_masks import Mask, masked, masks

SETTINGS = "/etc/trading-platform/logs/edge.json"
LONGEST = 30_000
Entry = Mapping[str, Any]
# json.dumps would make it anew for each line. As it comes from JSON itself, nothing in it holds itself.
written = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


@dataclass
class Edge:
    """A host's settings, and what was said last: twins within the same microsecond are told apart by their count."""

    host: str
    environment: str
    rules: tuple[Mask, ...]
    # Unit, syslog identifier or file, and what it is: service, stream, parsers.
    sources: Mapping[str, Mapping[str, Any]]
    last: tuple[str, ...] = field(default=(), init=False)
    twins: dict[str, int] = field(default_factory=dict, init=False)

    def source(self, entry: Entry, journal: Entry) -> Mapping[str, Any]:
        """The most particular one that is known."""
        if journal.get("CONTAINER_NAME"):
            return self.sources["container"]
        metadata = journal.get("metadata") or {}
        unit = re.sub(r"@[^.]*", "@", str(journal.get("_SYSTEMD_UNIT", "")))
        for name in (metadata.get("filename"), unit, journal.get("SYSLOG_IDENTIFIER"), entry.get("programname")):
            if name and name in self.sources:
                return self.sources[name]
        name = journal.get("SYSLOG_IDENTIFIER") or unit.partition(".")[0] or entry.get("programname") or "unknown"
        return {"service": name, "stream": "system", "parsers": ["json", "plain"]}

    def identity(self, entry: Entry, journal: Entry, text: str) -> str:
        """The same for the same entry, whenever it is read."""
        metadata = journal.get("metadata") or {}
        if metadata:
            where: tuple[str, ...] = (str(metadata.get("filename")), str(metadata.get("fileoffset")))
        else:
            when = str(journal.get("_SOURCE_REALTIME_TIMESTAMP") or entry.get("timereported"))
            where = (str(journal.get("_BOOT_ID")), when, str(journal.get("_PID")), str(journal.get("CONTAINER_ID", "")))
        key = hashlib.blake2b(
            "\0".join((self.host, *where, text)).encode("utf-8", "replace"), digest_size=16
        ).hexdigest()
        if metadata:
            return key
        if where[:2] != self.last:
            self.last, self.twins = where[:2], {}
        count = self.twins.get(key, 0)
        self.twins[key] = count + 1
        return key if not count else hashlib.blake2b(f"{key} {count}".encode(), digest_size=16).hexdigest()

    def document(self, entry: Entry) -> Document:
        journal: Entry = entry.get("$!") or {}
        text = str(entry.get("msg", "")).removeprefix(" ") if not journal.get("MESSAGE") else str(journal["MESSAGE"])
        source = self.source(entry, journal)
        document: Document = {}
        cut = text[:LONGEST]
        if not any(PARSERS[name](cut, document) for name in source.get("parsers", ())):
            document = {"message": cut}
        if len(text) > LONGEST:
            put(document, "log.truncated_bytes", len(text) - LONGEST)
        document.setdefault("@timestamp", moment(entry.get("timereported")) or moment(entry.get("timegenerated")))
        document.setdefault("log", {}).setdefault("level", LEVELS[int(entry.get("syslogseverity") or 6)])
        document.setdefault("service", {}).setdefault("name", source["service"])
        event = document.setdefault("event", {})
        event["id"] = self.identity(entry, journal, text)
        stream = "audit" if event.get("dataset") == "pgaudit" else str(source["stream"])
        event.setdefault("dataset", source["service"])
        if journal.get("_PID"):
            document.setdefault("process", {}).setdefault("pid", int(journal["_PID"]))
        # A process may call itself what it likes.
        put(document, "process.name", journal.get("_COMM"))
        document = masked(document, self.rules)
        # From here on the host speaks, and no writer: there is nothing to mask, and an image's @sha256 is no address.
        document["event"]["id"] = event["id"]
        put(document, "container.id", journal.get("CONTAINER_ID"))
        put(document, "container.name", journal.get("CONTAINER_NAME"))
        put(document, "container.image.name", journal.get("IMAGE_NAME"))
        put(document, "log.file.path", (journal.get("metadata") or {}).get("filename"))
        document["host"] = {"name": self.host}
        document["labels"] = {"env": self.environment}
        document["ecs"] = {"version": "8.11.0"}
        document["data_stream"] = {"type": "logs", "dataset": stream, "namespace": self.environment}
        return document

    def answer(self, line: bytes) -> bytes:
        """What rsyslog sets. An entry that this program stumbles over is shipped as the fact that there was one."""
        entry = json.loads(line.decode("utf-8", "replace"))
        document = self.document(entry)
        stream = "-".join(("logs", document["data_stream"]["dataset"], self.environment))
        text = written(document)
        said = written({"$!": {"ship": {"document": text, "id": document["event"]["id"], "stream": stream}}})
        # Half of a pair of surrogates is no text: a question mark then.
        return said.encode("utf-8", "replace") + b"\n"


def edge(settings: Mapping[str, Any]) -> Edge:
    return Edge(settings["host"], settings["environment"], masks(settings["masks"]), settings["sources"])


def main() -> int:
    words = [word for word in sys.argv[1:] if word != "--check"]
    made = edge(json.loads(Path(words[0] if words else SETTINGS).read_text(encoding="utf-8")))
    if "--check" in sys.argv:
        return 0
    # rsyslog reads both; a word of Python's would be taken for an answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for line in sys.stdin.buffer:
        try:
            said = made.answer(line)
        except Exception:
            said = b"{}\n"
        os.write(1, said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
