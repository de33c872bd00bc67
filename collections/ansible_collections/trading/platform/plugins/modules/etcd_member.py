#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_member
short_description: Put a member of an etcd cluster in the place of a lost one
version_added: 0.2.0
author: trading.platform contributors (@trading)
description:
  - Removes a lost member and adds its successor as a learner, which has no vote until it has caught up and is promoted.
  - Refuses where the member is healthy, and where the others could not agree without it.
  - Run it on a member that is well. What has to be done on the new member's host is not its work.
options:
  state:
    description:
      - V(added) removes the lost member and adds a learner. One that has already started as a learner is kept.
      - V(promoted) waits until the learner has caught up and gives it a vote.
    type: str
    choices: [added, promoted]
    required: true
  name:
    description: Name of the member.
    type: str
    required: true
  url:
    description: Its peer URL.
    type: str
    required: true
  instead_of:
    description: Name of the lost member where it is another one.
    type: str
    default: ""
  endpoints:
    description: Client addresses of the other members.
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
  root_password:
    description: The password of root.
    type: str
    required: true
  timeout:
    description: How many seconds to wait for a leader, and for the learner to catch up.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Tells the steps and takes none.
  diff_mode:
    support: none
    description: The steps are returned.
"""

EXAMPLES = r"""
- name: Add the new db2
  trading.platform.etcd_member:
    state: added
    name: db2
    url: https://10.0.0.2:2380
    endpoints: [https://10.0.0.1:2379, https://10.0.0.3:2379]
    ca: /etc/trading-platform/pki/etcd/ca.pem
    certificate: /etc/trading-platform/pki/etcd/fullchain.pem
    key: /etc/trading-platform/pki/etcd/key.pem
    root_password: "{{ etcd_root_password }}"
"""

RETURN = r"""
steps:
  description: What was done, or in check mode would be.
  returned: always
  type: list
  elements: str
  sample: ["member db2: remove", "member db2: add https://10.0.0.2:2380, as a learner"]
fresh:
  description: Whether the member is new and has to start without data.
  returned: always
  type: bool
initial_cluster:
  description: What the new member needs as its initial cluster.
  returned: always
  type: str
members:
  description: The members and how they are.
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._etcd.client import Etcd, EtcdError, tls
from ansible_collections.trading.platform.plugins.module_utils._etcd.members import initial_cluster


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["added", "promoted"], "required": True},
            "name": {"type": "str", "required": True},
            "url": {"type": "str", "required": True},
            "instead_of": {"type": "str", "default": ""},
            "endpoints": {"type": "list", "elements": "str", "required": True},
            "ca": {"type": "path", "required": True},
            "certificate": {"type": "path", "required": True},
            "key": {"type": "path", "required": True, "no_log": False},
            "root_password": {"type": "str", "required": True, "no_log": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        etcd = Etcd(given["endpoints"], tls(given["ca"], given["certificate"], given["key"]), given["timeout"])
        etcd.log_in([given["root_password"]])
        fresh = False
        if given["state"] == "added":
            steps, fresh = etcd.replace(given["name"], given["url"], given["instead_of"], module.check_mode)
        else:
            steps = etcd.promote(given["url"], module.check_mode)
        found = etcd.members()
        members = [etcd.health(one) for one in found]
    except (EtcdError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(steps),
        steps=steps,
        fresh=fresh,
        initial_cluster=initial_cluster(found, given["name"], given["url"]),
        members=members,
    )


if __name__ == "__main__":
    main()
