#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module container_task."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_task
short_description: Run one container to its end, with secrets as files
version_added: 0.3.0
author: trading.platform contributors (@trading)
description:
  - Runs a command of an image, hardened as the services are, and waits for it. Secrets are files below C(/run/secrets)
    in the container, in memory on the host, and removed in any case; no process list and no C(docker inspect) has them.
  - One at a time. One of the same name that an earlier run left at work, because that was killed, has O(timeout) to
    end.
options:
  name:
    description: The container's name.
    type: str
    required: true
  image:
    description: The image, which must be on the host.
    type: str
    required: true
  command:
    description: The command and its arguments.
    type: list
    elements: str
    required: true
  env:
    description: Its environment.
    type: dict
    default: {}
  secrets:
    description: Contents of files by name.
    type: dict
    default: {}
  network:
    description: The network it is in.
    type: str
    required: true
  timeout:
    description: Seconds it may take.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
    description: Says what it would run.
  diff_mode:
    support: none
    description: There is nothing to show.
"""

EXAMPLES = r"""
- name: Migrate the database
  trading.platform.container_task:
    name: trading-migrate
    image: registry.example.com:5000/trading/app@sha256:...
    command: [migrate]
    network: trading
    secrets: {owner_password: "{{ vault_postgres_owner_password }}"}
"""

RETURN = r"""
lines:
  description: What it wrote.
  returned: always, but not in check mode
  type: list
  elements: str
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._files.flock import taken
from ansible_collections.trading.platform.plugins.module_utils._release.slots import HARDENING

PLACE = Path("/run/trading-platform")
USER = int(HARDENING["user"].partition(":")[0])
SHOWN = 20


@contextlib.contextmanager
def alone(name: str, patience: float) -> Iterator[Path]:
    """The folder of this name, for as long as it is ours. What a killed run has left at work may end first."""
    folder = PLACE / name
    PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        if not taken(file, patience):
            raise TimeoutError(f"another run of it is at work on this host, and did not end within {patience:g} s")
        yield folder


def engine(*command: str, patience: float | None = None) -> None:
    """Whatever comes of it: a container that is not there is as good as one that has ended."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(["docker", *command], capture_output=True, timeout=patience, check=False)


@contextlib.contextmanager
def secret_files(folder: Path, secrets: dict[str, Any]) -> Iterator[list[str]]:
    """The files, as options of docker, for as long as they are needed."""
    place = Path(tempfile.mkdtemp(dir=folder))
    try:
        options = []
        for file, content in secrets.items():
            descriptor = os.open(place / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
            with os.fdopen(descriptor, "w", encoding="utf-8") as written:
                os.fchown(descriptor, USER, USER)
                written.write(str(content))
            options += ["--volume", f"{place / file}:/run/secrets/{file}:ro"]
        yield options
    finally:
        shutil.rmtree(place, ignore_errors=True)


def run(args: dict[str, Any]) -> tuple[int, list[str]]:
    """Exit code and what was written; 124 as timeout(1) has it."""
    with alone(args["name"], args["timeout"]) as folder:
        # Of one whose module died: nobody waits for it, and its files were never removed.
        engine("wait", args["name"], patience=args["timeout"])
        engine("rm", "--force", args["name"])
        for left in folder.iterdir():
            shutil.rmtree(left, ignore_errors=True)
        with secret_files(folder, args["secrets"]) as mounted:
            return execute(args, mounted)


def execute(args: dict[str, Any], mounted: list[str]) -> tuple[int, list[str]]:
    command = ["docker", "run", "--rm", "--pull", "never", "--name", args["name"], "--network", args["network"]]
    command += ["--user", HARDENING["user"], "--read-only", "--memory", "512m", "--pids-limit", "256"]
    for option, values in {
        "--tmpfs": [f"{place}:{how}" for place, how in HARDENING["tmpfs"].items()],
        "--cap-drop": HARDENING["cap_drop"],
        "--security-opt": HARDENING["security_opt"],
        "--env": [f"{key}={value}" for key, value in args["env"].items()],
    }.items():
        command += [word for value in values for word in (option, value)]
    command += [*mounted, args["image"], *args["command"]]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=args["timeout"], check=False
        )
    except subprocess.TimeoutExpired as late:
        engine("rm", "--force", args["name"])
        return 124, (late.stdout or b"").decode(errors="replace").splitlines()
    return done.returncode, done.stdout.decode(errors="replace").splitlines()


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "command": {"type": "list", "elements": "str", "required": True},
            "env": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "network": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    args = module.params
    if module.check_mode:
        module.exit_json(changed=True, msg=f"Would run {' '.join(args['command'])} in {args['name']}.")
    try:
        code, lines = run(args)
    except OSError as error:
        module.fail_json(msg=f"{args['name']} could not be run: {error}")
    if code:
        why = f"was stopped after {args['timeout']} s" if code == 124 else f"ended with code {code}"  # noqa: PLR2004
        said = "\n".join(lines[-SHOWN:]) or "nothing"
        module.fail_json(msg=f"{args['name']} ({' '.join(args['command'])}) {why}. It said:\n{said}", lines=lines)
    module.exit_json(changed=True, lines=lines)


if __name__ == "__main__":
    main()
