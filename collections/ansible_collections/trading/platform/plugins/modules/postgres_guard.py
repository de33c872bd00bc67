#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module postgres_guard."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_guard
short_description: Refuse to let Patroni loose on data that is not its own
version_added: 0.2.0
author: trading.platform contributors (@trading)
description:
  - Looks at the data directory, at the configuration that an earlier run left, at the server behind the port's socket,
    and asks the members' Patroni. It changes nothing.
  - Fails when the directory holds something else than this cluster, when the data is of another major version, when the
    data directory or the cluster's name was changed under data, or when another server has the port.
  - Warns of members that Patroni knows and the inventory does not, and of a cluster of one host.
options:
  scope:
    description: The cluster's name.
    type: str
    required: true
  directory:
    description: The data directory.
    type: str
    required: true
  version:
    description: The major version that is to run.
    type: int
    required: true
  members:
    description: Address of each member by its name.
    type: dict
    required: true
  configuration:
    description: Patroni's configuration on the host.
    type: path
    default: /etc/patroni/config.yml
  port:
    description: The server's port.
    type: int
    default: 5432
  api_port:
    description: Port of Patroni's REST API.
    type: int
    default: 8008
  pki:
    description: Directory of the certificate that is shown to the members, with key.pem, fullchain.pem and ca.pem.
    type: path
    default: /etc/trading-platform/pki/postgres
  timeout:
    description: How long a member has for an answer, in seconds.
    type: float
    default: 2.0
attributes:
  check_mode:
    support: full
    description: It never changes anything.
  diff_mode:
    support: none
    description: There is nothing to show.
"""

EXAMPLES = r"""
- name: Preflight | Refuse data that is not this cluster's
  trading.platform.postgres_guard:
    scope: trading
    directory: /var/lib/postgresql/15/trading
    version: 15
    members: {db1: 10.0.0.31, db2: 10.0.0.32}
"""

RETURN = r"""
problems:
  description: What stands against it.
  returned: always
  type: list
  elements: str
orphans:
  description: Members that Patroni knows and the inventory does not.
  returned: always
  type: list
  elements: str
data:
  description: Whether the data directory has data.
  returned: always
  type: bool
anchored:
  description:
    - Whether a Patroni here joins what there is, because this host has the data or a member that answers has.
      One that is not begins a new cluster where it is the first to ask.
  returned: always
  type: bool
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._postgres import guard, guard_client

SPEC: dict[str, Any] = {
    "scope": {"type": "str", "required": True},
    "directory": {"type": "str", "required": True},
    "version": {"type": "int", "required": True},
    "members": {"type": "dict", "required": True},
    "configuration": {"type": "path", "default": "/etc/patroni/config.yml"},
    "port": {"type": "int", "default": 5432},
    "api_port": {"type": "int", "default": 8008},
    "pki": {"type": "path", "default": "/etc/trading-platform/pki/postgres"},
    "timeout": {"type": "float", "default": 2.0},
}


def look(params: dict[str, Any]) -> guard.Seen:
    pki = params["pki"]
    files = {"ca": f"{pki}/ca.pem", "cert": f"{pki}/fullchain.pem", "key": f"{pki}/key.pem"}
    return guard.Seen(
        guard_client.directory(params["directory"]),
        guard_client.before(params["configuration"]),
        guard_client.running(params["port"]),
        guard_client.members(params["members"], params["api_port"], files, params["timeout"]),
    )


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    params = module.params
    wanted = guard.Wanted(
        params["scope"], params["directory"].rstrip("/"), params["version"], tuple(params["members"]), params["port"]
    )
    try:
        seen = look(params)
    except guard_client.GuardError as exc:
        module.fail_json(msg=f"{exc}. Nothing was changed.", problems=[str(exc)], orphans=[])
    verdict = guard.judge(wanted, seen)
    facts = {
        "problems": verdict.problems,
        "orphans": verdict.orphans,
        "data": not seen.data.empty,
        "anchored": guard.anchored(wanted, seen),
    }
    if verdict.problems:
        module.fail_json(msg=f"{'; '.join(verdict.problems)}. Nothing was changed.", **facts)
    for warning in verdict.warnings:
        module.warn(warning)
    module.exit_json(changed=False, **facts)


if __name__ == "__main__":
    main()
