# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kibana's HTTP API by TLS, with a name and a password. Standard library only. Raises."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Sequence
from typing import Any

from .._https.call import basic, call
from .objects import Saved, form, ndjson, parsed, refusals

WAIT = 30


class KibanaError(Exception):
    """What went wrong, where. `status` is HTTP's, 0 where there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Kibana:
    """One Kibana, asked by one user."""

    def __init__(self, url: str, ca: str, user: str, password: str, timeout: float = 180) -> None:
        self.url = url.rstrip("/")
        self.user = user
        self.context = ssl.create_default_context(cafile=ca)
        # Kibana takes no writing request without the second one, whatever its value.
        self.headers = {"Authorization": basic(user, password), "kbn-xsrf": "trading.platform"}
        self.timeout = timeout

    def ask(self, verb: str, path: str, body: bytes | None = None, kind: str = "application/json") -> str:
        """One call. OSError where nobody answers, KibanaError where the answer is no."""
        answer = call(verb, self.url + path, self.context, {**self.headers, "Content-Type": kind}, body, timeout=WAIT)
        if not answer.refused:
            return answer.text
        advice: dict[int, str] = {
            http.client.UNAUTHORIZED: f" Elasticsearch does not know {self.user} with this password.",
            http.client.FORBIDDEN: f" {self.user} lacks the right: give it a role with space_all of kibana-.kibana.",
        }
        raise KibanaError(
            f"Kibana at {self.url} refused {verb} {path}: {answer.status} {reason(answer.text)}."
            f"{advice.get(answer.status, '')}",
            answer.status,
        )

    def wait(self) -> None:
        """Until it says that it is available: at a first start it makes its indices, which takes a minute."""
        end = time.monotonic() + self.timeout
        while True:
            try:
                level = self.level()
                if level == "available":
                    return
                said = f"it is {level}"
            except (OSError, KibanaError, ValueError) as error:
                said = str(error)
            if time.monotonic() > end:
                raise KibanaError(
                    f"Kibana at {self.url} is not well after {self.timeout:.0f} s: {said} "
                    "Look at: journalctl -u kibana, and whether Elasticsearch is well."
                )
            time.sleep(0.5)

    def level(self) -> str:
        said = json.loads(self.ask("GET", "/api/status"))
        return str(said.get("status", {}).get("overall", {}).get("level", "of an unknown level"))

    def objects(self, kinds: Sequence[str]) -> list[dict[str, Any]]:
        """All that there are of these kinds, with what people made."""
        if not kinds:
            return []
        body = json.dumps({"type": sorted(kinds), "excludeExportDetails": True}).encode()
        return parsed(self.ask("POST", "/api/saved_objects/_export", body))

    def bring(self, objects: Sequence[Saved]) -> None:
        kind, body = form(ndjson(objects))
        answer = json.loads(self.ask("POST", "/api/saved_objects/_import?overwrite=true", body, kind))
        refused = refusals(answer)
        if refused:
            raise KibanaError(f"Kibana at {self.url} did not take all saved objects: {'; '.join(refused)}")


def reason(text: str) -> str:
    """What Kibana's error says; never all of a page."""
    try:
        said = json.loads(text)
    except ValueError:
        return text[:200].strip()
    return str(said.get("message", text[:200])) if isinstance(said, dict) else text[:200]
