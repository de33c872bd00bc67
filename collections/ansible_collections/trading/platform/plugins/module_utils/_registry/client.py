# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks an image registry, with the credentials and the CA that docker uses on this host."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from ansible_collections.trading.platform.plugins.module_utils._registry.model import (
    DIGEST,
    MANIFESTS,
    RegistryError,
    basic_credentials,
    challenge,
    unknown,
)

DOCKER_CONFIG = Path("/root/.docker/config.json")
CERTIFICATES = Path("/etc/docker/certs.d")
UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404


class Registry:
    """One registry, over HTTPS."""

    def __init__(self, address: str, timeout: float) -> None:
        self.address = address
        self.timeout = timeout
        self.basic = basic_credentials(_text(DOCKER_CONFIG), address)
        ca = CERTIFICATES / address / "ca.crt"
        context = ssl.create_default_context(cafile=str(ca) if ca.exists() else None)
        # A proxy of the environment stays in force: the registry may be outside.
        self.opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))

    def digest(self, name: str, reference: str) -> str:
        """What the tag (or the digest itself) names now."""
        status, headers, _body = self._ask("HEAD", f"/v2/{name}/manifests/{reference}", name)
        if status == NOT_FOUND:
            raise RegistryError(unknown(self.address, name, reference, self._tags(name), self._names()))
        found = headers.get("Docker-Content-Digest", "")
        if not DIGEST.fullmatch(found):
            raise RegistryError(f"{self.address} gave no digest for {name}:{reference}.")
        return str(found)

    def _tags(self, name: str) -> list[str]:
        return [str(tag) for tag in self._list(f"/v2/{name}/tags/list", name, "tags")]

    def _names(self) -> list[str]:
        return [str(name) for name in self._list("/v2/_catalog", "", "repositories")]

    def _list(self, path: str, name: str, key: str) -> list[Any]:
        """For a message only, so a registry that will not list is no error."""
        try:
            status, _headers, body = self._ask("GET", path, name)
            return list(json.loads(body).get(key) or []) if status == http.HTTPStatus.OK else []
        except (RegistryError, ValueError):
            return []

    def _ask(self, method: str, path: str, name: str) -> tuple[int, Any, bytes]:
        authorization = f"Basic {self.basic}" if self.basic else ""
        status, headers, body = self._send(method, f"https://{self.address}{path}", authorization)
        wanted = challenge(headers.get("WWW-Authenticate", "")) if status == UNAUTHORIZED else {}
        if wanted:
            status, headers, body = self._send(method, f"https://{self.address}{path}", self._bearer(wanted))
        if status in (UNAUTHORIZED, FORBIDDEN):
            raise RegistryError(
                f"{self.address} refuses the credentials of this host for {name or 'its list'} (HTTP {status}). They "
                f"are in {DOCKER_CONFIG}, from the inventory: correct them there and run site.yml."
            )
        if status not in (http.HTTPStatus.OK, NOT_FOUND):
            raise RegistryError(f"{self.address} answered HTTP {status} to {method} {path}.")
        return status, headers, body

    def _bearer(self, wanted: dict[str, str]) -> str:
        query = urllib.parse.urlencode([(key, wanted[key]) for key in ("service", "scope") if key in wanted])
        basic = f"Basic {self.basic}" if self.basic else ""
        status, _headers, body = self._send("GET", f"{wanted.get('realm', '')}?{query}", basic)
        answer = json.loads(body) if status == http.HTTPStatus.OK else {}
        return f"Bearer {answer.get('token') or answer.get('access_token') or ''}"

    def _send(self, method: str, url: str, authorization: str) -> tuple[int, Any, bytes]:
        request = urllib.request.Request(url, method=method, headers={"Accept": ", ".join(MANIFESTS)})  # noqa: S310
        if authorization:
            request.add_unredirected_header("Authorization", authorization)
        try:
            with self.opener.open(request, timeout=self.timeout) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise RegistryError(f"the registry {self.address} does not answer: {reason}.") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
