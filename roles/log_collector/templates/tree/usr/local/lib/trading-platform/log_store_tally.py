# Managed by Ansible, role log_collector.
"""What became of the documents: the counts, for node-exporter, and the file of what was refused. For log_store.py."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Tally:
    """What has been counted since the program started, for node-exporter."""

    path: str
    created: int = 0
    known: int = 0
    refused: int = 0
    strange: int = 0
    failures: int = 0
    last: float = 0.0
    waiting: int = 0
    written: float = 0.0

    def text(self) -> str:
        name = "trading_log_store"
        counts = {"created": self.created, "known": self.known, "refused": self.refused, "strange": self.strange}
        lines = [
            f"# HELP {name}_documents_total Documents by what became of them.",
            f"# TYPE {name}_documents_total counter",
        ]
        lines += [f'{name}_documents_total{{result="{what}"}} {count}' for what, count in counts.items()]
        lines += [
            f"# HELP {name}_failures_total Attempts that Elasticsearch did not take.",
            f"# TYPE {name}_failures_total counter",
        ]
        lines += [f"{name}_failures_total {self.failures}"]
        lines += [f"# HELP {name}_waiting_bytes What waits on disk.", f"# TYPE {name}_waiting_bytes gauge"]
        lines += [f"{name}_waiting_bytes {self.waiting}"]
        lines += [f"# HELP {name}_last_success_timestamp_seconds When documents were last stored."]
        lines += [
            f"# TYPE {name}_last_success_timestamp_seconds gauge",
            f"{name}_last_success_timestamp_seconds {self.last:.0f}",
        ]
        return "\n".join(lines) + "\n"

    def write(self, now: float, every: float = 10) -> None:
        if not self.path or now - self.written < every:
            return
        self.written = now
        place = Path(self.path)
        if place.parent.is_dir():
            part = place.with_suffix(".part")
            part.write_text(self.text())
            part.chmod(0o644)
            part.replace(place)


@dataclass
class Refused:
    """The file of what Elasticsearch will never take. Two generations, so it is bounded."""

    path: Path
    largest: int

    def add(self, text: str, reason: str) -> None:
        if self.path.exists() and self.path.stat().st_size > self.largest:
            self.path.replace(self.path.with_suffix(".old"))
        with os.fdopen(
            os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8"
        ) as file:
            file.write(json.dumps({"reason": reason, "text": text}) + "\n")
