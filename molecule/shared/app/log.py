"""One JSON object a line to stdout."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.settings import Settings


class JsonLines(logging.Formatter):
    """`log.info("request", extra={"fields": {...}})`: fields are the line's own; nothing else of a request gets in."""

    def __init__(self, always: Mapping[str, str]) -> None:
        super().__init__()
        self._always = dict(always)
        self._encode = json.JSONEncoder(default=str).encode

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **self._always,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return self._encode(line)


def start(settings: Settings) -> logging.Logger:
    # Looked up for each line, and in none of them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonLines({"release": settings.release, "service": settings.service, "instance": settings.instance})
    )
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    logging.getLogger("asyncio").setLevel("WARNING")
    return logging.getLogger("app")
