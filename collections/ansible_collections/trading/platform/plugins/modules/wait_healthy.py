# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wait_healthy
short_description: Wait on the host until its services are well
version_added: 0.1.0
author: trading.platform contributors (@trading)
description:
  - Repeats a list of checks on the host, in one round trip, until all pass or the time is up.
  - Fails naming every check that never passed, with its last error.
  - In check mode it does not wait; the services may not exist yet.
options:
  checks:
    description: What must be well.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: How the message calls it.
        type: str
        required: true
      kind:
        description: How it is asked.
        type: str
        required: true
        choices: [tcp, http, unit, command]
      host:
        description: Address for V(tcp).
        type: str
        default: 127.0.0.1
      port:
        description: Port for V(tcp).
        type: int
      url:
        description: Address for V(http).
        type: str
      status:
        description: Status codes of V(http) that are well.
        type: list
        elements: int
        default: [200]
      contains:
        description: Text that the answer of V(http) must hold.
        type: str
      ca:
        description: CA bundle for V(http) over TLS. Without it the host's own.
        type: path
      cert:
        description: Certificate that V(http) shows, for services that ask for one. Needs O(checks[].key).
        type: path
        version_added: 0.2.0
      key:
        description: Key of O(checks[].cert).
        type: path
        version_added: 0.2.0
      unit:
        description: Systemd unit for V(unit).
        type: str
      argv:
        description: Program and arguments for V(command); exit code 0 is well. It must change nothing.
        type: list
        elements: str
      successes:
        description: How many good answers in a row are needed.
        type: int
        default: 1
      probe_timeout:
        description: How long one attempt may take, in seconds.
        type: int
        default: 5
      role:
        description: Who published the check. Not used.
        type: str
  timeout:
    description: How long all checks together may take, in seconds.
    type: int
    default: 60
  interval:
    description: Pause between rounds, in seconds.
    type: float
    default: 0.5
  stamp:
    description:
      - A file that is touched once all is well. Its time says when that was last so, which is a record and no change.
      - Its directory has to exist.
    type: path
    version_added: 0.2.0
attributes:
  check_mode:
    description: Does not wait, and says so.
    support: partial
    details: The services may not exist before the first real run, so nothing is asked and the task is skipped.
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Wait for the web server
  trading.platform.wait_healthy:
    checks:
      - {name: nginx, kind: unit, unit: nginx.service}
      - {name: front page, kind: http, url: "http://127.0.0.1/healthz", successes: 2}
    timeout: 30
"""

RETURN = r"""
seconds:
  description: How long it took.
  type: float
  returned: always
waiting:
  description: Checks that never got well.
  type: list
  elements: str
  returned: always
"""

import subprocess
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._health.client import ProbeError, probe
from ansible_collections.trading.platform.plugins.module_utils._health.model import State, invalid, message

CHECK: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "required": True, "choices": ["tcp", "http", "unit", "command"]},
    "host": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int"},
    "url": {"type": "str"},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "contains": {"type": "str"},
    "ca": {"type": "path"},
    "cert": {"type": "path"},
    "key": {"type": "path", "no_log": False},
    "unit": {"type": "str"},
    "argv": {"type": "list", "elements": "str"},
    "successes": {"type": "int", "default": 1},
    "probe_timeout": {"type": "int", "default": 5},
    "role": {"type": "str"},
}


def run(argv: list[str], timeout: int) -> tuple[int, str, str]:
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return 124, "", f"no answer within {timeout} s"
    except OSError as exc:
        return 127, "", str(exc)
    return done.returncode, done.stdout, done.stderr


def attempt(check: dict[str, Any]) -> str | None:
    try:
        probe(check, run)
    except ProbeError as exc:
        return str(exc)
    return None


def wait(checks: list[dict[str, Any]], timeout: int, interval: float) -> list[State]:
    """Rounds over what is not healthy yet; at least one, even with no time."""
    states = [State(check["name"], check["successes"]) for check in checks]
    until = time.monotonic() + timeout
    while True:
        for check, state in zip(checks, states, strict=True):
            if not state.healthy:
                state.record(attempt(check))
        if all(state.healthy for state in states) or time.monotonic() + interval > until:
            return states
        time.sleep(interval)


def main() -> None:
    spec: dict[str, Any] = {
        "checks": {"type": "list", "elements": "dict", "required": True, "options": CHECK},
        "timeout": {"type": "int", "default": 60},
        "interval": {"type": "float", "default": 0.5},
        "stamp": {"type": "path"},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    wrong = invalid(module.params["checks"])
    if wrong:
        module.fail_json(msg="; ".join(wrong))
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, seconds=0.0, waiting=[], msg="check mode does not wait")
    started = time.monotonic()
    states = wait(module.params["checks"], module.params["timeout"], module.params["interval"])
    waiting = [state.name for state in states if not state.healthy]
    facts = {"changed": False, "seconds": round(time.monotonic() - started, 2), "waiting": waiting}
    if waiting:
        module.fail_json(msg=message(states, module.params["timeout"]), **facts)
    if module.params["stamp"]:
        try:
            Path(module.params["stamp"]).touch()
        except OSError as exc:
            module.fail_json(msg=f"All is well, but {module.params['stamp']} cannot be touched: {exc}", **facts)
    module.exit_json(**facts)


if __name__ == "__main__":
    main()
