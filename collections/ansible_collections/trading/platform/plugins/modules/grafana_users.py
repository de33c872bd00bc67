#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: grafana_users
short_description: Have a Grafana's users as they are listed
version_added: 0.2.0
author: trading.platform contributors (@trading)
description:
  - Keeps the local users of a Grafana, their passwords and their roles, by its HTTP API. Grafana has no file for that.
  - Waits until Grafana answers. No program and no Python library is needed on the host.
  - A password is not stored anywhere. Whether it is still the same is found out by logging in with it.
options:
  url:
    description: Its address, such as C(https://10.0.0.1:3000).
    type: str
    required: true
  ca:
    description: File with the CA that its certificate is checked against.
    type: path
    required: true
  admin:
    description: The administrator that it made at its first start.
    type: str
    required: true
  admin_password:
    description: The password of O(admin).
    type: str
    required: true
  admin_password_previous:
    description: Tried where O(admin_password) does not fit; the administrator then gets the new one.
    type: str
    default: ""
  users:
    description: The users besides O(admin).
    type: list
    elements: dict
    required: true
    suboptions:
      login:
        description: What is typed to log in.
        type: str
        required: true
      password:
        description: The password.
        type: str
        required: true
      role:
        description: What the user may do.
        type: str
        choices: [Viewer, Editor, Admin]
        default: Viewer
      name:
        description: The name that is shown. By default the login.
        type: str
      email:
        description: The mail address.
        type: str
  exclusive:
    description: Whether a local user that is not listed is removed. Those of a directory, such as LDAP, are left alone.
    type: bool
    default: true
  timeout:
    description: How many seconds to wait until Grafana answers.
    type: int
    default: 90
attributes:
  check_mode:
    support: full
    description: Where Grafana cannot be asked yet, as on an empty host, every user is predicted as missing.
  diff_mode:
    support: full
    description: One line for each step. No password is shown.
"""

EXAMPLES = r"""
- name: Let the team look
  trading.platform.grafana_users:
    url: https://10.0.0.1:3000
    ca: /etc/trading-platform/pki/grafana/ca.pem
    admin: platform-admin
    admin_password: "{{ grafana_admin_password }}"
    users:
      - {login: trader, password: "{{ vault_grafana_trader_password }}"}
      - {login: oncall, password: "{{ vault_grafana_oncall_password }}", role: Editor}
"""

RETURN = r"""
steps:
  description: What was done, or in check mode would be.
  returned: always
  type: list
  elements: str
  sample: ["user trader: add"]
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._grafana.client import Grafana, GrafanaError
from ansible_collections.trading.platform.plugins.module_utils._grafana.users import User, plan, wanted

USER = {
    "login": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "role": {"type": "str", "choices": ["Viewer", "Editor", "Admin"], "default": "Viewer"},
    "name": {"type": "str"},
    "email": {"type": "str"},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "ca": {"type": "path", "required": True},
            "admin": {"type": "str", "required": True},
            "admin_password": {"type": "str", "required": True, "no_log": True},
            "admin_password_previous": {"type": "str", "default": "", "no_log": True},
            "users": {"type": "list", "elements": "dict", "required": True, "options": USER},
            "exclusive": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 90},
        },
        supports_check_mode=True,
    )
    try:
        steps = converge(module, wanted(module.params["users"], module.params["admin"]))
    except (GrafanaError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    diff = {"before": "", "after": "".join(f"{step}\n" for step in steps)}
    module.exit_json(changed=bool(steps), steps=steps, **({"diff": diff} if steps else {}))


def converge(module: AnsibleModule, users: list[User]) -> list[str]:
    """Look, plan, and where it is not a check, do."""
    given = module.params
    nothing = [call.words for call in plan([], users, [], given["admin"], given["exclusive"])]
    # In check mode the certificate may not exist yet.
    if module.check_mode and not Path(given["ca"]).exists():
        return nothing
    grafana = Grafana(given["url"], given["ca"], given["admin"], 0 if module.check_mode else given["timeout"])
    try:
        grafana.wait()
    except GrafanaError as error:
        if not module.check_mode:
            raise
        module.warn(f"{error} The prediction takes it for empty.")
        return nothing
    steps = grafana.log_in(given["admin_password"], given["admin_password_previous"], module.check_mode)
    now = grafana.users()
    calls = plan(now, users, grafana.stale(now, users), given["admin"], given["exclusive"])
    if not module.check_mode:
        grafana.apply(calls)
    return steps + [call.words for call in calls]


if __name__ == "__main__":
    main()
