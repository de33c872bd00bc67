# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elasticsearch over HTTPS, as one user, by the first node that answers. Standard library only. Raises."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

# What a build without the function, or without the API's path, answers.
ABSENT = (400, 404, 405)
BUSY = (429, 503)


class ElasticsearchError(Exception):
    """What went wrong, where. `status` is HTTP's, 0 where there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Elasticsearch:
    """One cluster."""

    def __init__(self, nodes: Sequence[str], ca: str, user: str, password: str, timeout: float = 30) -> None:
        self.nodes = list(nodes)
        self.context = ssl.create_default_context(cafile=ca)
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {login}"}
        self.timeout = timeout

    def ask(self, method: str, path: str, body: Mapping[str, Any] | str | None = None) -> dict[str, Any]:
        """One call; the next node where one is silent. A text is lines of JSON."""
        sent = body if body is None or isinstance(body, str) else json.dumps(body)
        silent = []
        for node in self.nodes:
            try:
                status, text = self._one(node, method, path, sent)
            except (OSError, http.client.HTTPException) as error:
                silent.append(f"{node}: {error or type(error).__name__}")
                continue
            try:
                answer = json.loads(text) if text else {}
            except ValueError:
                answer = {"error": text[:200]}
            if status >= http.client.BAD_REQUEST:
                raise ElasticsearchError(f"{method} {path} at {node}: HTTP {status}: {reason(answer)}", status)
            return answer if isinstance(answer, dict) else {"answer": answer}
        raise ElasticsearchError(
            f"no node of Elasticsearch answered: {'; '.join(silent)}. Look at: journalctl -u elasticsearch there."
        )

    def _one(self, node: str, method: str, path: str, body: str | None) -> tuple[int, str]:
        where = urlsplit(node)
        connection = http.client.HTTPSConnection(
            str(where.hostname), where.port, timeout=self.timeout, context=self.context
        )
        try:
            kind = "application/x-ndjson" if path.startswith("/_bulk") else "application/json"
            connection.request(method, path, body, {**self.headers, "Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def wait(self, seconds: float) -> None:
        """Until the cluster has a master and every primary shard."""
        end = time.monotonic() + seconds
        while True:
            try:
                answer = self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=5s")
                if not answer.get("timed_out"):
                    return
                said = ElasticsearchError(f"the cluster is {answer.get('status')}: a primary shard is missing")
            except ElasticsearchError as error:
                if error.status not in (0, http.client.REQUEST_TIMEOUT, *BUSY):
                    raise
                said = error
            if time.monotonic() > end:
                raise ElasticsearchError(f"not well within {seconds:.0f} s: {said}", said.status)
            time.sleep(1)

    def if_there(self, path: str) -> dict[str, Any] | None:
        """Nothing where there is none, or where this build does not know the function."""
        try:
            return self.ask("GET", path)
        except ElasticsearchError as error:
            if error.status in ABSENT:
                return None
            raise


def reason(answer: Any) -> str:
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    return str(error.get("reason", error) if isinstance(error, dict) else error)[:400]
