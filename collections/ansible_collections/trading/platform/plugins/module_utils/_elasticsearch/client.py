# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elasticsearch over HTTPS, as one user, by the first node that answers. Standard library only. Raises."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._https.call import basic, call

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
        self.login = basic(user, password)
        self.timeout = timeout

    def ask(self, method: str, path: str, body: Mapping[str, Any] | str | None = None) -> dict[str, Any]:
        """One call; the next node where one is silent. A text is lines of JSON."""
        sent = body if body is None or isinstance(body, str) else json.dumps(body)
        kind = "application/x-ndjson" if path.startswith("/_bulk") else "application/json"
        headers = {"Authorization": self.login, "Content-Type": kind}
        silent = []
        for node in self.nodes:
            try:
                answer = call(method, node + path, self.context, headers, sent, timeout=self.timeout)
            except OSError as error:
                silent.append(f"{node}: {error or type(error).__name__}")
                continue
            try:
                said = json.loads(answer.text) if answer.text else {}
            except ValueError:
                said = {"error": answer.text[:200]}
            if answer.refused:
                raise ElasticsearchError(
                    f"{method} {path} at {node}: HTTP {answer.status}: {reason(said)}", answer.status
                )
            return said if isinstance(said, dict) else {"answer": said}
        raise ElasticsearchError(
            f"no node of Elasticsearch answered: {'; '.join(silent)}. Look at: journalctl -u elasticsearch there."
        )

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
