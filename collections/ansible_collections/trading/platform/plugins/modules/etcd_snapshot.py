#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_snapshot
short_description: Take a snapshot of an etcd cluster, or make a member begin anew from one
version_added: 0.2.0
author: trading.platform contributors (@trading)
description:
  - A snapshot is taken by C(etcdctl) and checked against the hash at its end before it gets its name.
  - A restore has three steps, so that a run that was killed goes on where it stopped. V(staged) unpacks beside the data
    while etcd runs, V(swapped) stops etcd and renames, V(finished) ends it. All members have to be swapped before one
    is started, which is the task's business between them.
  - The old data is kept beside the new.
options:
  state:
    description: Which step.
    type: str
    choices: [saved, staged, swapped, finished]
    required: true
  path:
    description: The snapshot on the host. Needed for all states but V(finished).
    type: path
  data_directory:
    description: The member's data directory. Not for V(saved).
    type: path
  name:
    description: The member's name, for V(staged).
    type: str
  members:
    description: All members as a map from name to peer URL, for V(staged).
    type: dict
  token:
    description: The cluster's name, for V(staged).
    type: str
  endpoint:
    description: Client address of the member to ask, for V(saved).
    type: str
  ca:
    description: File with the CA that the member is checked against, for V(saved).
    type: path
  root_password:
    description: The password of root, for V(saved).
    type: str
attributes:
  check_mode:
    support: full
    description: A snapshot is not taken; one that exists is checked.
  diff_mode:
    support: none
    description: There is nothing to show.
"""

EXAMPLES = r"""
- name: Take a snapshot
  trading.platform.etcd_snapshot:
    state: saved
    path: /var/backups/etcd/before-upgrade.db
    endpoint: https://10.0.0.1:2379
    ca: /etc/trading-platform/pki/etcd/ca.pem
    root_password: "{{ etcd_root_password }}"
"""

RETURN = r"""
snapshot:
  description: What is in it.
  returned: for V(saved) and V(staged), not in check mode for V(saved)
  type: dict
  sample: {path: /var/backups/etcd/x.db, sha256: "77...", revision: 120, keys: 14, bytes: 20512}
aside:
  description: Where the old data went; empty where nothing was swapped.
  returned: for V(swapped)
  type: str
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._etcd.snapshot import (
    Place,
    SnapshotError,
    facts,
    finish,
    save,
    stage,
    swap,
)


def work(given: dict[str, Any], check: bool) -> dict[str, Any]:
    state = given["state"]
    if state == "saved":
        if check:
            return {"changed": True}
        known = save(Path(given["path"]), given["endpoint"], {"ca": given["ca"]}, given["root_password"])
        return {"changed": True, "snapshot": known}
    place = Place(Path(given["data_directory"]))
    if state == "staged":
        known = facts(Path(given["path"]))
        members = given["members"]
        done = check or stage(Path(given["path"]), place, given["name"], members, given["token"])
        return {"changed": done, "snapshot": known}
    if check:
        return {"changed": True, "aside": ""}
    if state == "swapped":
        aside = swap(Path(given["path"]), place)
        return {"changed": bool(aside), "aside": aside}
    return {"changed": finish(place)}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["saved", "staged", "swapped", "finished"], "required": True},
            "path": {"type": "path"},
            "data_directory": {"type": "path"},
            "name": {"type": "str"},
            "members": {"type": "dict"},
            "token": {"type": "str", "no_log": False},
            "endpoint": {"type": "str"},
            "ca": {"type": "path"},
            "root_password": {"type": "str", "no_log": True},
        },
        required_if=[
            ("state", "saved", ["path", "endpoint", "ca", "root_password"]),
            ("state", "staged", ["path", "data_directory", "name", "members", "token"]),
            ("state", "swapped", ["path", "data_directory"]),
            ("state", "finished", ["data_directory"]),
        ],
        supports_check_mode=True,
    )
    try:
        result = work(module.params, module.check_mode)
    except (SnapshotError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
