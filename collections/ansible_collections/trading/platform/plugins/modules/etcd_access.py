#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_access
short_description: Have authentication of an etcd cluster on, with its users as they are listed
version_added: 0.2.0
author: trading.platform contributors (@trading)
description:
  - Keeps root, the users, their passwords and their prefixes. Switches authentication on, last.
  - Talks to etcd's JSON gateway on the host, with the host's certificate. No program and no Python library is needed.
  - A password is not stored anywhere. Whether it is still the same is found out by logging in with it.
  - Returns the members and how they are. A member that the inventory does not know, or the other way round, is a
    warning; nothing is added or removed.
notes:
  - Run it once per cluster.
  - The list of users is complete. Users and roles that are not in it are removed, apart from root.
options:
  endpoints:
    description: The members' client addresses, such as C(https://10.0.0.1:2379). The first that answers is used.
    type: list
    elements: str
    required: true
  ca:
    description: File with the CA that the members are checked against.
    type: path
    required: true
  certificate:
    description: File with the certificate to show.
    type: path
    required: true
  key:
    description: File with its key.
    type: path
    required: true
  members:
    description: The members that there should be, as a map from name to peer URL. Empty does not compare.
    type: dict
    default: {}
  root_password:
    description: The password of root.
    type: str
    required: true
  root_password_previous:
    description: Tried where RV(ignore:root_password) does not fit; root then gets the new one.
    type: str
    default: ""
  users:
    description: The users besides root. Without it nothing is changed and only the members are read.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the user and of its role.
        type: str
        required: true
      password:
        description: Its password.
        type: str
        required: true
      prefixes:
        description: What its keys begin with that it may read and write.
        type: list
        elements: str
        required: true
  timeout:
    description: How many seconds to wait for a leader.
    type: int
    default: 30
attributes:
  check_mode:
    support: full
    description: Where etcd cannot be asked yet, as on an empty host, everything is predicted as missing.
  diff_mode:
    support: full
    description: One line for each step. No password is shown.
"""

EXAMPLES = r"""
- name: Have authentication on and Patroni let in
  trading.platform.etcd_access:
    endpoints: [https://10.0.0.1:2379, https://10.0.0.2:2379, https://10.0.0.3:2379]
    ca: /etc/trading-platform/pki/etcd/ca.pem
    certificate: /etc/trading-platform/pki/etcd/fullchain.pem
    key: /etc/trading-platform/pki/etcd/key.pem
    root_password: "{{ etcd_root_password }}"
    users:
      - {name: patroni, password: "{{ postgres_etcd_password }}", prefixes: [/service/]}
  run_once: true
"""

RETURN = r"""
steps:
  description: What was done, or in check mode would be.
  returned: always
  type: list
  elements: str
  sample: ["user patroni: add"]
members:
  description: The members and how they are.
  returned: when etcd answered
  type: list
  elements: dict
  sample: [{name: db1, id: "1234", healthy: true, leader: true, learner: false, error: ""}]
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._etcd.access import Access, User, plan, wanted
from ansible_collections.trading.platform.plugins.module_utils._etcd.client import Etcd, EtcdError, tls
from ansible_collections.trading.platform.plugins.module_utils._etcd.members import differences

USER = {
    "name": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "prefixes": {"type": "list", "elements": "str", "required": True},
}
NOTHING = Access(False, {}, {})


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "endpoints": {"type": "list", "elements": "str", "required": True},
            "ca": {"type": "path", "required": True},
            "certificate": {"type": "path", "required": True},
            "key": {"type": "path", "required": True, "no_log": False},
            "members": {"type": "dict", "default": {}},
            "root_password": {"type": "str", "required": True, "no_log": True},
            "root_password_previous": {"type": "str", "default": "", "no_log": True},
            "users": {"type": "list", "elements": "dict", "options": USER},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        users = wanted(given["users"] or [])
        result = converge(module, users) if reachable(module) else predict(module, users)
    except (EtcdError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    steps = result["steps"]
    diff = {"before": "", "after": "".join(f"{step}\n" for step in steps)}
    module.exit_json(changed=bool(steps), **result, **({"diff": diff} if steps else {}))


def reachable(module: AnsibleModule) -> bool:
    """In check mode the certificate may not exist yet."""
    return not module.check_mode or all(Path(module.params[file]).exists() for file in ("ca", "certificate", "key"))


def predict(module: AnsibleModule, users: list[User]) -> dict[str, Any]:
    if module.params["users"] is None:
        return {"steps": []}
    return {"steps": [call.words for call in plan(NOTHING, users, module.params["root_password"])]}


def converge(module: AnsibleModule, users: list[User]) -> dict[str, Any]:
    """Look, plan, and where it is not a check, do."""
    given = module.params
    context = tls(given["ca"], given["certificate"], given["key"])
    etcd = Etcd(given["endpoints"], context, 0 if module.check_mode else given["timeout"])
    passwords = [given["root_password"], given["root_password_previous"]]
    try:
        now = etcd.access(users, passwords)
    except EtcdError as error:
        if not module.check_mode or error.code != 0 or "no member" not in str(error):
            raise
        module.warn(f"{error} The prediction takes the cluster for empty.")
        return predict(module, users)
    calls = [] if given["users"] is None else plan(now, users, given["root_password"])
    if not module.check_mode:
        etcd.apply(calls, passwords)
        # Calls made before authentication was on carried no token, those below may need one.
        if not now.enabled and calls:
            etcd.log_in(passwords)
    found = etcd.members()
    for problem in differences(found, given["members"]) if given["members"] else []:
        module.warn(problem)
    return {"steps": [call.words for call in calls], "members": [etcd.health(one) for one in found]}


if __name__ == "__main__":
    main()
