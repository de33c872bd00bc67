"""A release by hand, on one app host: docker pull, docker run for each container, wait until ready, remove them.

usage: by_hand.py IMAGE     (the image by digest). Prints the seconds until all were ready. Standard library only.
The containers are copies of those that serve, on free addresses of the same network.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from typing import Any

# Below the addresses of both sets.
ADDRESS = "10.213.0.{}"
FIRST, LAST = 2, 15
READY_WITHIN = 90.0


def docker(*words: str) -> str:
    ran = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"by_hand: docker {words[0]} failed: {ran.stderr[-2000:]}")
    return ran.stdout


def copy(one: dict[str, Any], image: str, number: int) -> list[str]:
    """docker run's words for another container like this one."""
    config, host = one["Config"], one["HostConfig"]
    words = ["run", "--detach", "--name", f"hand-{number}", "--network", "trading", "--ip", ADDRESS.format(number)]
    words += ["--user", config["User"], "--memory", str(host["Memory"]), "--tmpfs", "/tmp", "--read-only"]  # noqa: S108
    words += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", str(host["PidsLimit"])]
    words += ["--cpus", str(host["NanoCpus"] / 1e9)]
    words += [word for value in config["Env"] for word in ("--env", value)]
    words += [word for mount in one["Mounts"] if mount["Type"] == "bind" for word in mounted(mount)]
    return [*words, image, *(config["Cmd"] or [])]


def mounted(mount: dict[str, Any]) -> tuple[str, str]:
    return "--volume", f"{mount['Source']}:{mount['Destination']}:ro"


def ready(one: dict[str, Any], number: int) -> bool:
    """A service with a port answers; another one says so by a file."""
    port = next((value[12:] for value in one["Config"]["Env"] if value.startswith("LISTEN_PORT=")), "")
    if not port:
        look = ["docker", "exec", f"hand-{number}", "test", "-e", "/tmp/healthy"]  # noqa: S108
        return subprocess.run(look, capture_output=True, check=False).returncode == 0
    try:
        url = f"http://{ADDRESS.format(number)}:{port}/readyz"
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004
    except OSError:
        return False


def main() -> None:
    image = sys.argv[1]
    serving = json.loads(docker("inspect", *docker("ps", "-q", "--filter", "label=trading.platform.release").split()))
    if len(serving) > LAST - FIRST + 1:
        sys.exit(f"by_hand: {len(serving)} containers are more than the {LAST - FIRST + 1} free addresses")
    began = time.monotonic()
    docker("pull", image)
    waiting = dict(enumerate(serving, FIRST))
    made = list(waiting)
    try:
        for number, one in waiting.items():
            docker(*copy(one, image, number))
        while waiting:
            waiting = {number: one for number, one in waiting.items() if not ready(one, number)}
            if time.monotonic() - began > READY_WITHIN:
                sys.exit(f"by_hand: not ready within {READY_WITHIN:.0f} s: {sorted(waiting)}")
            time.sleep(0.1)
        took = time.monotonic() - began
    finally:
        subprocess.run(["docker", "rm", "--force", *(f"hand-{n}" for n in made)], capture_output=True, check=False)
    sys.stdout.write(f"{took:.2f}\n")


if __name__ == "__main__":
    main()
