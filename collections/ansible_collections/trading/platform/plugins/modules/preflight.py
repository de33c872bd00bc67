# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check the whole inventory before anything changes
version_added: 0.1.0
author: trading.platform contributors (@trading)
description:
  - Runs on the controller. It contacts no host and needs no facts, so it answers in seconds.
  - Checks required groups, quorum groups, every variable against the argument specs of the roles that site.yml gives to
    a host, misspelled and renamed variables, missing, placeholder and undecryptable secrets, overlapping networks,
    duplicate addresses, and ports that collide on one host.
  - Checks the whole inventory under any C(--limit), and that the limit names nothing unknown.
  - Reports all problems at once, each with what, where and what to do. No secret's value is shown.
options:
  site:
    description: Path of site.yml. Without it the nearest in or above the playbook's directory, then beside ansible.cfg.
    type: path
  roles_path:
    description: Directories of roles. Without it C(roles) beside site.yml, then Ansible's C(roles_path).
    type: list
    elements: path
  required_groups:
    description: Groups that must exist and have a host.
    type: list
    elements: str
    default: []
  quorum_groups:
    description: Groups whose members vote. An even count is an error, a single member a warning.
    type: list
    elements: str
    default: []
  networks:
    description:
      - Names of variables that hold a CIDR, a list of them, or a list of mappings with the key C(base).
      - Any two different networks must not overlap.
    type: list
    elements: str
    default: []
  addresses:
    description: Names of variables whose value only one host may have.
    type: list
    elements: str
    default: [ansible_host, private_address]
  accepted:
    description: Variables that carry a role's prefix, belong to no role, and are right nevertheless.
    type: list
    elements: str
    default: []
  remembered:
    description:
      - Directory on the controller in which it is remembered that an inventory has passed. For 12 hours it is not
        checked again, as long as no file of the inventory, the site, its roles and the checks has changed, and
        C(--limit) and what C(-e) sets of the roles' and the inventory's variables are the same.
      - Without it everything is checked.
    type: path
  renamed:
    description:
      - Variables that were renamed or removed. The key is the old name.
      - The value has C(new) (name, or null when it was removed), C(since) (release) and C(note).
    type: dict
    default: {}
attributes:
  check_mode:
    description: Changes nothing in either mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Check the inventory
  hosts: all
  gather_facts: false
  tasks:
    - name: Check the whole inventory once
      trading.platform.preflight:
        required_groups: [db, app]
        quorum_groups: [etcd]
        networks: [docker_host_address_pools]
        renamed:
          postgres_version_major: {new: postgres_version, since: "0.2.0"}
      run_once: true
"""

RETURN = r"""
hosts:
  description: Number of hosts checked.
  type: int
  returned: always
roles:
  description: Number of roles that site.yml gives to any host.
  type: int
  returned: always
variables:
  description: Number of values checked, over all hosts.
  type: int
  returned: always
seconds:
  description: What the check took.
  type: float
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._preflight.arguments import SPEC


def main() -> None:
    """The work is in the action plugin; this file carries the documentation."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    module.fail_json(msg="trading.platform.preflight runs on the controller: its action plugin was not found")


if __name__ == "__main__":
    main()
