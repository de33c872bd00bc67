# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a service on this host whether it is well. Every probe raises ProbeError with the reason when it is not."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

Run = Callable[[list[str], int], tuple[int, str, str]]
LAST = 200


class ProbeError(Exception):
    """Why a service is not healthy."""


def probe(check: Mapping[str, Any], run: Run) -> None:
    {"tcp": _tcp, "http": _http, "unit": _unit, "command": _command}[check["kind"]](check, run)


def _tcp(check: Mapping[str, Any], _run: Run) -> None:
    where = (check["host"], check["port"])
    try:
        socket.create_connection(where, timeout=check["probe_timeout"]).close()
    except OSError as exc:
        raise ProbeError(f"no connection to {where[0]}:{where[1]}: {exc}") from exc


def _http(check: Mapping[str, Any], _run: Run) -> None:
    # Imported here: they cost the modules that only look at a port or a unit.
    import ssl  # noqa: PLC0415
    import urllib.error  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    url = check["url"]
    if not url.startswith(("http://", "https://")):
        raise ProbeError(f"{url} is not an http or https address")
    try:
        context = ssl.create_default_context(cafile=check.get("ca")) if url.startswith("https:") else None
        if context and check.get("cert"):
            context.load_cert_chain(check["cert"], check.get("key"))
    except OSError as exc:
        raise ProbeError(f"the certificates for {url} cannot be read: {exc}") from exc
    # A proxy of the environment must not answer for a service of this host.
    handlers: list[Any] = [urllib.request.ProxyHandler({})]
    if context:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        answer = urllib.request.build_opener(*handlers).open(url, timeout=check["probe_timeout"])
    except urllib.error.HTTPError as exc:
        answer = exc
    except (OSError, ValueError) as exc:
        raise ProbeError(f"no answer from {url}: {exc}") from exc
    with answer:
        body = answer.read(65536).decode("utf-8", "replace")
        status = int(answer.status)
    if status not in check["status"]:
        raise ProbeError(f"{url} answered {status}, not {' or '.join(map(str, check['status']))}: {body[:LAST]}")
    if check.get("contains") and check["contains"] not in body:
        raise ProbeError(f"{url} answered {status}, but without {check['contains']!r}: {body[:LAST]}")


def _unit(check: Mapping[str, Any], run: Run) -> None:
    code, out, err = run(["systemctl", "is-active", check["unit"]], check["probe_timeout"])
    if code:
        raise ProbeError(f"the unit {check['unit']} is {out.strip() or err.strip() or 'unknown'}")


def _command(check: Mapping[str, Any], run: Run) -> None:
    code, out, err = run([str(word) for word in check["argv"]], check["probe_timeout"])
    if code:
        said = (err.strip() or out.strip())[-LAST:]
        raise ProbeError(f"{check['argv'][0]} ended with {code}: {said}")
