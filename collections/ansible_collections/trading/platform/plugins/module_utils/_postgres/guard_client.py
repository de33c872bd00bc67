# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the guard judges: files of this host, and the members' Patroni over mutual TLS."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.trading.platform.plugins.module_utils._postgres import guard

SOCKETS = "/run/postgresql"


class GuardError(Exception):
    """What could not be read, and must be, for a verdict."""


def directory(path: str) -> guard.Directory:
    place = Path(path)
    try:
        entries = tuple(sorted(one.name for one in place.iterdir()))
    except FileNotFoundError:
        return guard.Directory()
    except OSError as exc:
        raise GuardError(f"{path} cannot be read: {exc}") from exc
    return guard.Directory(
        entries,
        _bytes(place / "PG_VERSION").decode("ascii", "replace").strip(),
        guard.system(_bytes(place / "global" / "pg_control")),
        guard.mark(_bytes(place / "postgresql.conf").decode("utf-8", "replace")),
    )


def before(configuration: str) -> tuple[str, str, str]:
    """Scope, data directory and its version, by the configuration that is there already."""
    scope, place = guard.configuration(_bytes(Path(configuration)).decode("utf-8", "replace"))
    version = _bytes(Path(place) / "PG_VERSION").decode("ascii", "replace").strip() if place else ""
    return scope, place, version


def running(port: int) -> str:
    """The data directory of the server behind the socket, when it lives."""
    lines = _bytes(Path(SOCKETS) / f".s.PGSQL.{port}.lock").decode("utf-8", "replace").split("\n")
    if len(lines) < 2 or not lines[0].strip().isdigit():  # noqa: PLR2004
        return ""
    return lines[1].strip() if Path(f"/proc/{lines[0].strip()}").exists() else ""


def members(
    addresses: Mapping[str, str], port: int, files: Mapping[str, str], timeout: float
) -> tuple[guard.Member, ...]:
    """Those that answer, in the given order. The first one that knows the cluster speaks for it."""
    try:
        context = ssl.create_default_context(cafile=files["ca"])
        context.load_cert_chain(files["cert"], files["key"])
    except OSError:
        return ()  # No certificates yet: this is a host's first run, and nobody would answer it.
    found = [
        _member(name, status, _get(address, port, "/cluster", context, timeout))
        for name, address in addresses.items()
        if (status := _get(address, port, "/patroni", context, timeout))
    ]
    return tuple(found)


def _member(name: str, status: Mapping[str, Any], cluster: Mapping[str, Any]) -> guard.Member:
    return guard.Member(
        name,
        str((status.get("patroni") or {}).get("scope") or ""),
        str(status.get("database_system_identifier") or ""),
        int(status.get("server_version") or 0) // 10000,
        tuple(str(one.get("name")) for one in cluster.get("members") or ()),
    )


def _get(address: str, port: int, path: str, context: ssl.SSLContext, timeout: float) -> dict[str, Any]:
    connection = http.client.HTTPSConnection(address, port, context=context, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = json.loads(connection.getresponse().read(1 << 20))
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else {}


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1 << 20)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as exc:
        raise GuardError(f"{path} cannot be read: {exc}") from exc
