"""What a container of a release may not do: FAULTS' security bars for Docker, as engine and kernel tell it."""

from __future__ import annotations

from typing import Any

import pytest
import releases
from fleet import inside

SECRET_FILES = "/etc/trading-platform/app/config/"
HELD = {
    "user": "10001:10001",
    "read-only root": True,
    "privileged": False,
    "capabilities": (["ALL"], []),
    "security": ["no-new-privileges:true"],
    "without a limit": [],
    # The engine's socket would be one.
    "mounts but secret files to read": [],
    "published": [],
    "namespaces": ("trading", "private", "", ""),
    # The journal has a limit for all that the host writes into it.
    "log": ("journald", ""),
}
# In their order in /proc/PID/status.
STATUS = ["Uid: 10001 10001 10001 10001", "CapEff: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1"]


def held(one: dict[str, Any]) -> dict[str, Any]:
    said, mounts, ports = one["HostConfig"], one["Mounts"], one["NetworkSettings"]["Ports"]
    others = [mount["Source"] for mount in mounts if mount["RW"] or not mount["Source"].startswith(SECRET_FILES)]
    return {
        "user": one["Config"]["User"],
        "read-only root": said["ReadonlyRootfs"],
        "privileged": said["Privileged"],
        "capabilities": (said["CapDrop"], said["CapAdd"] or []),
        "security": said["SecurityOpt"],
        "without a limit": [what for what in ("Memory", "PidsLimit", "NanoCpus") if not (said[what] or 0) > 0],
        "mounts but secret files to read": others,
        "published": [*(port for port, outside in ports.items() if outside), *(said["PortBindings"] or ())],
        "namespaces": tuple(said[kind] for kind in ("NetworkMode", "IpcMode", "PidMode", "UsernsMode")),
        "log": (said["LogConfig"]["Type"], one["LogPath"]),
    }


@pytest.mark.parametrize("host", releases.HOSTS)
def test_every_container_is_held(host: str) -> None:
    releases.any_release()
    found = releases.containers(host)
    assert {releases.label(one, "service") for one in found.values()} == {"web", "api", "worker", "scheduler"}
    for name, one in found.items():
        assert held(one) == HELD, name
        told = inside(host, f"grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs):' /proc/{one['State']['Pid']}/status")
        assert [" ".join(line.split()) for line in told.splitlines()] == STATUS, name
