# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files by which an engine knows its registries. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence

# As in an image's name: a host with an optional port; no scheme, no path.
ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?")


def registry_files(registries: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Text by path: a CA for each registry that names one, and one file with all logins."""
    files: dict[str, str] = {}
    logins: dict[str, dict[str, str]] = {}
    for registry in registries:
        address, user, password = (registry.get(key) or "" for key in ("address", "user", "password"))
        if not ADDRESS.fullmatch(address):
            raise ValueError(f"registry address {address!r} is no host or host:port, as it stands in an image's name.")
        if bool(user) != bool(password):
            raise ValueError(f"registry {address} has a user or a password, but not both. Give both, or neither.")
        if registry.get("ca"):
            files[f"etc/docker/certs.d/{address}/ca.crt"] = registry["ca"].strip() + "\n"
        if user:
            logins[address] = {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}
    if logins:
        files["root/.docker/config.json"] = json.dumps({"auths": logins}, indent=2, sort_keys=True) + "\n"
    return files
