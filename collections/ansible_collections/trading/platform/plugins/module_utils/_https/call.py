# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call by TLS, on a connection of its own. Standard library only; what an answer means is the caller's."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    status: int
    text: str

    @property
    def refused(self) -> bool:
        return self.status >= http.client.BAD_REQUEST


def basic(user: str, password: str) -> str:
    """For the header Authorization."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def call(
    verb: str,
    url: str,
    context: ssl.SSLContext,
    headers: Mapping[str, str],
    body: str | bytes | None = None,
    *,
    timeout: float,
) -> Answer:
    """OSError where nobody answers, or not in HTTP."""
    where = urlsplit(url)
    connection = http.client.HTTPSConnection(str(where.hostname), where.port, timeout=timeout, context=context)
    try:
        connection.request(verb, where._replace(scheme="", netloc="").geturl(), body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.read().decode(errors="replace"))
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP answer: {error!r}") from error
    finally:
        connection.close()
