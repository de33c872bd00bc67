"""Whether the service in this container is well: exit code 0, or 1 with a reason. It imports little."""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from app.settings import Settings

HEALTH = Path("/tmp/healthy")  # as in loop.py, which would import too much
STALE_SECONDS = 20


def _asked(port: int) -> str:
    """What /readyz says against it, or nothing."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read(300).decode(errors="replace").strip()
    except OSError as error:
        return f"port {port} does not answer: {error}"
    return "" if answer.status == http.HTTPStatus.OK else f"/readyz answered {answer.status}: {text}"


def run(settings: Settings, _: Sequence[str]) -> int:
    if settings.service in ("web", "api"):
        reason = _asked(settings.port)
    else:
        try:
            age = time.time() - HEALTH.stat().st_mtime
            reason = f"its last good round was {age:.0f} s ago" if age > STALE_SECONDS else ""
        except FileNotFoundError:
            reason = "it has not done a round yet; its log says why"
    if reason:
        sys.stderr.write(f"not healthy: {reason}\n")
    return 1 if reason else 0
