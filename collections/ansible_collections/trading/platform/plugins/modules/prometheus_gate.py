#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prometheus_gate
short_description: Ask Prometheus whether a canary goes on
version_added: 0.2.0
author: trading.platform contributors (@trading)
description:
  - Asks each question of two releases and compares the numbers. It runs where Prometheus answers, without a library.
  - It never fails because of what it hears. Prometheus away, no data, and more than one series are a no as well.
options:
  url:
    description: Prometheus' address, such as C(https://127.0.0.1:9090).
    type: str
    required: true
  ca:
    description: File with the CA that its certificate is checked against.
    type: path
    required: true
  user:
    description: Who asks.
    type: str
    required: true
  password_file:
    description: File on the host that holds the password.
    type: path
    required: true
  canary:
    description: The release that is tried.
    type: str
    required: true
  baseline:
    description: The release that it is compared with.
    type: str
    required: true
  window:
    description: How many seconds back the questions look. Four scrapes are the least that say something.
    type: int
    required: true
  questions:
    description: What is asked of both.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What is compared, for people.
        type: str
        required: true
      query:
        description:
          - A PromQL expression with one number for a result. C($release) and C($window) stand for the release's name
            and the time; both must be there.
        type: str
        required: true
      factor:
        description: How many times the baseline's number the canary's may be.
        type: float
        default: 1
      slack:
        description: How much more it may be in any case.
        type: float
        default: 0
      at_most:
        description: What it may never be more than.
        type: float
attributes:
  check_mode:
    support: full
    description: It only asks.
  diff_mode:
    support: none
    description: Nothing is changed.
"""

EXAMPLES = r"""
- name: Whether fewer than one in a hundred more requests fail
  trading.platform.prometheus_gate:
    url: https://127.0.0.1:9090
    ca: /etc/trading-platform/pki/prometheus/ca.pem
    user: platform
    password_file: /etc/trading-platform/prometheus/secrets/platform
    canary: v2-16fd22f5
    baseline: v1-16fd22f5
    window: 60
    questions:
      - name: share of failed requests
        query: my:errors:ratio{release="$release", window="$window"}
        slack: 0.01
  register: verdict
"""

RETURN = r"""
go:
  description: Whether the canary goes on.
  returned: always
  type: bool
lines:
  description: The numbers, a line for each question.
  returned: always
  type: list
  elements: str
reasons:
  description: What speaks against it.
  returned: always
  type: list
  elements: str
"""

import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._https.call import basic, call
from ansible_collections.trading.platform.plugins.module_utils._metrics.gate import GateError, filled, number, verdict

PATIENCE_S = 10


def ask(given: Mapping[str, Any], queries: list[str]) -> list[float | None]:
    """Each one's number. OSError where nobody answers."""
    trusted = ssl.create_default_context(cafile=given["ca"])
    login = basic(given["user"], Path(given["password_file"]).read_text(encoding="utf-8").strip())
    numbers = []
    for query in queries:
        url = f"{given['url']}/api/v1/query?query={quote(query)}"
        answer = call("GET", url, trusted, {"Authorization": login}, timeout=PATIENCE_S)
        if answer.status in (401, 403):
            raise OSError(f"it answers {answer.status} to {given['user']}")
        try:
            numbers.append(number(json.loads(answer.text)))
        except ValueError as error:
            raise OSError(f"no answer that can be read: {error!r}") from error
    return numbers


def main() -> None:
    question = {
        "name": {"type": "str", "required": True},
        "query": {"type": "str", "required": True},
        "factor": {"type": "float", "default": 1},
        "slack": {"type": "float", "default": 0},
        "at_most": {"type": "float"},
    }
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "ca": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "password_file": {"type": "path", "required": True, "no_log": False},
            "canary": {"type": "str", "required": True},
            "baseline": {"type": "str", "required": True},
            "window": {"type": "int", "required": True},
            "questions": {"type": "list", "elements": "dict", "required": True, "options": question},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        sides = [
            [filled(one, given[side], given["window"]) for one in given["questions"]] for side in ("canary", "baseline")
        ]
    except GateError as error:
        module.fail_json(msg=str(error))
    try:
        told = verdict(given["questions"], *(ask(given, side) for side in sides))
    except OSError as error:
        told = {"go": False, "lines": [], "reasons": [f"Prometheus at {given['url']} cannot be asked: {error}."]}
    module.exit_json(changed=False, **told)


if __name__ == "__main__":
    main()
