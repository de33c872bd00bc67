# Managed by Ansible, role log_collector.
"""Documents as Elasticsearch takes them: in bulk requests, and what its answer means. For log_store.py."""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LINE = re.compile(r"^(?P<stream>[a-z0-9._-]{1,100}) (?P<id>[A-Za-z0-9_-]{8,64}) (?P<document>\{.*\})$", re.DOTALL)
LARGEST = 5_000_000
NEVER = (400, 413)


class NotNowError(Exception):
    """Elasticsearch may take it later."""


@dataclass(frozen=True)
class Document:
    stream: str
    id: str
    text: str

    def lines(self) -> str:
        return f'{{"create":{{"_index":"{self.stream}","_id":"{self.id}"}}}}\n{self.text}\n'


def read(line: str, streams: Sequence[str]) -> Document | None:
    """Nothing where an edge sent what is no document, or for a stream that is none: whoever holds a host must not fill
    others."""
    found = LINE.match(line)
    if not found or found["stream"] not in streams:
        return None
    return Document(found["stream"], found["id"], found["document"])


def bulks(documents: Sequence[Document], largest: int = LARGEST) -> Iterator[list[Document]]:
    """Requests of bounded size."""
    batch: list[Document] = []
    size = 0
    for one in documents:
        length = len(one.text) + 200
        if batch and size + length > largest:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += length
    if batch:
        yield batch


@dataclass
class Outcome:
    """What became of the documents of one request."""

    created: int = 0
    known: int = 0
    refused: list[tuple[Document, str]] = field(default_factory=list)
    later: list[Document] = field(default_factory=list)
    reason: str = ""


def outcome(documents: Sequence[Document], status: int, body: str) -> Outcome:
    """Elasticsearch's answer, item by item; whatever cannot be read is later."""
    found = Outcome()
    if status == 413 and len(documents) == 1:  # noqa: PLR2004 - a code of HTTP
        found.refused = [(documents[0], "413: larger than Elasticsearch takes")]
        return found
    try:
        items = json.loads(body)["items"] if status == http.client.OK else None
    except (ValueError, KeyError, TypeError):
        items = None
    if not isinstance(items, list) or len(items) != len(documents):
        found.later, found.reason = list(documents), f"HTTP {status}: {body[:200]}"
        return found
    for document, item in zip(documents, items, strict=True):
        said = item.get("create", {})
        code = said.get("status", 0)
        error = said.get("error") or {}
        if code in (200, 201):
            found.created += 1
        elif code == http.client.CONFLICT:
            found.known += 1
        elif code in NEVER:
            found.refused.append((document, f"{code}: {error.get('type')}: {error.get('reason')}"))
        else:
            found.later.append(document)
            found.reason = f"{code}: {error.get('type')}: {error.get('reason')}"
    return found


class Store:
    """Elasticsearch, by the first node that answers."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.nodes: list[tuple[str, int]] = [(one["host"], one["port"]) for one in settings["nodes"]]
        self.timeout: float = settings["timeout"]
        self.context = ssl.create_default_context(cafile=settings["ca"])
        login = base64.b64encode(f"{settings['user']}:{settings['password']}".encode()).decode()
        self.headers = {"Content-Type": "application/x-ndjson", "Authorization": f"Basic {login}"}
        self.connection: http.client.HTTPSConnection | None = None

    def bulk(self, documents: Sequence[Document]) -> Outcome:
        body = "".join(one.lines() for one in documents).encode("utf-8", "surrogatepass")
        said = ""
        for _node in range(len(self.nodes) + 1):
            try:
                if self.connection is None:
                    host, port = self.nodes[0]
                    self.connection = http.client.HTTPSConnection(
                        host, port, timeout=self.timeout, context=self.context
                    )
                path = "/_bulk?filter_path=errors,items.create.status,items.create.error.type,items.create.error.reason"
                self.connection.request("POST", path, body, self.headers)
                answer = self.connection.getresponse()
                return outcome(documents, answer.status, answer.read().decode("utf-8", "replace"))
            except (OSError, http.client.HTTPException) as error:
                said = f"{self.nodes[0][0]}: {error or type(error).__name__}"
                self.drop()
                self.nodes.append(self.nodes.pop(0))
        raise NotNowError(said)

    def drop(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None
