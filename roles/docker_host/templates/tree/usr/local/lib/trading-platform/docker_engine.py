#!/usr/bin/python3 -I
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at daemon.json: before it lands, whether its networks are free; then, what the engine needs to take it up.

usage: docker_engine.py check FILE | apply
"""

from __future__ import annotations

import ipaddress
import json
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CONFIGURED = Path("/etc/docker/daemon.json")
# Copied there by the unit at each start of the engine.
STARTED = Path("/run/docker-started.json")
SOCKET = Path("/run/docker.sock")
SOCKET_MODE = 0o600
# dockerd's manual, "Configuration reload behavior". All else waits for a restart.
RELOADABLE = {
    *("debug", "labels", "live-restore", "max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts"),
    *("default-runtime", "runtimes", "authorization-plugins", "insecure-registries", "registry-mirrors"),
    *("shutdown-timeout", "features"),
}


def networks(settings: dict[str, Any]) -> list[ipaddress.IPv4Network]:
    pools = [pool["base"] for pool in settings.get("default-address-pools", [])]
    return [ipaddress.IPv4Network(one, strict=False) for one in [*pools, settings["bip"]]]


def collisions(settings: dict[str, Any], routes: list[dict[str, str]]) -> list[str]:
    """The host's own routes that overlap with the engine's networks; those of the engine's bridges do not count."""
    found = set()
    for route in routes:
        device = route.get("dev", "")
        if route["dst"] == "default" or device == "docker0" or device.startswith("br-"):
            continue
        there = ipaddress.IPv4Network(route["dst"])
        found |= {f"{there} on {device or 'no device'}" for one in networks(settings) if one.overlaps(there)}
    return sorted(found)


def verdict(started: dict[str, Any], configured: dict[str, Any]) -> str:
    differing = {key for key in {*started, *configured} if started.get(key) != configured.get(key)}
    return "nothing" if not differing else "reload" if differing <= RELOADABLE else "restart"


def said(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=60).stdout.strip()


def check(path: str) -> None:
    found = collisions(json.loads(Path(path).read_text()), json.loads(said("ip", "-json", "-4", "route") or "[]"))
    if found:
        sys.exit(
            f"this host has routes of its own in the engine's networks: {', '.join(found)}. "
            "Choose another docker_host_bip or docker_host_pool."
        )


def restart() -> None:
    """Only an engine that was told before it ends lets its containers go on; one that was not ours may not be told."""
    for _ in range(20):
        if said("docker", "info", "--format", "{{.LiveRestoreEnabled}}") != "false":
            # Both in one call: the socket takes up its owner only while the service is down.
            subprocess.run(["systemctl", "restart", "docker.socket", "docker.service"], check=True)
            return
        time.sleep(0.5)
    sys.exit(
        "the engine would take its containers down with it: it does not take up live-restore. Nothing was restarted."
    )


def apply() -> None:
    if said("systemctl", "is-active", "docker.service") != "active":
        return
    started = json.loads(STARTED.read_text()) if STARTED.exists() else {}
    needed = verdict(started, json.loads(CONFIGURED.read_text()))
    if SOCKET.exists() and (SOCKET.stat().st_gid or stat.S_IMODE(SOCKET.stat().st_mode) != SOCKET_MODE):
        needed = "restart"
    if needed == "nothing":
        return
    subprocess.run(["systemctl", "reload", "docker.service"], check=True)
    if needed == "restart":
        restart()
    else:
        STARTED.write_text(CONFIGURED.read_text())


def main() -> None:
    match sys.argv[1:]:
        case ["check", path]:
            check(path)
        case ["apply"]:
            apply()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
