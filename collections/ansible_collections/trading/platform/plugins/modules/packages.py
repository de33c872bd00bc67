#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Have Debian packages installed, at little cost where they are
version_added: 0.1.0
author: trading.platform contributors (@trading)
description:
  - Reads dpkg's own records on the host in one short round trip. Where all packages are installed, that is all. Where
    M(trading.platform.preflight_host) has seen them in this run, the host is not asked again.
  - What is missing is installed by M(ansible.builtin.apt). Its no-op opens apt's cache and takes over half a second on
    each host in each run, which is why it is asked only then.
  - An installation that was interrupted, by a power cut or a killed run, is finished first, whether or not packages of
    this task are concerned. Where another process is installing just then, it is waited for, up to five minutes.
  - Afterwards the host is looked at once more, and the task fails when a package is still not installed.
  - Configuration files that were changed on the host are kept.
notes:
  - It installs what is missing and neither upgrades nor removes. An installed package of another version than the
    one that O(name) names is replaced, unless that is a downgrade, which apt refuses.
  - A virtual package is never installed itself. Name the package that provides it.
options:
  name:
    description:
      - Packages, each as C(pkg), C(pkg:arch), C(pkg=version) or C(pkg:arch=version), with the exact version.
    type: list
    elements: str
    required: true
  install_recommends:
    description: Whether what a package recommends comes along.
    type: bool
    default: false
  cache_valid_time:
    description:
      - How old the package lists may be, in seconds, before they are fetched again.
      - They are also fetched again when the first attempt fails, as it does for a package that they do not know yet.
      - Where nothing is missing they are not looked at.
    type: int
    default: 172800
attributes:
  check_mode:
    support: full
    description: Says what is missing. It does not ask apt, because a new host has no package lists to ask.
  diff_mode:
    support: full
    description: A line per package that is missing or half installed.
"""

EXAMPLES = r"""
- name: Install | Packages
  trading.platform.packages:
    name: [chrony, auditd]

- name: Install | The version the vendor has approved
  trading.platform.packages:
    name: ["postgresql-15=15.20-0+deb12u1"]
"""

RETURN = r"""
missing:
  description: Packages that were not installed before, as O(name) has them.
  returned: always
  type: list
  elements: str
  sample: [chrony]
installed:
  description: Packages that were installed by this task. Empty in check mode.
  returned: always
  type: list
  elements: str
  sample: [chrony]
interrupted:
  description: What an interrupted installation had left, by package and architecture, with dpkg's word for its state.
  returned: always
  type: dict
  sample: {"chrony:amd64": half-configured}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._packages.host import settled
from ansible_collections.trading.platform.plugins.module_utils._packages.status import PackagesError, wanted

PATIENCE = 300


def main() -> None:
    """The host's side: looks, and changes nothing. The action does the rest."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True},
            "install_recommends": {"type": "bool", "default": False},
            "cache_valid_time": {"type": "int", "default": 172800},
        },
        supports_check_mode=True,
    )
    try:
        seen = settled(wanted(module.params["name"]), 0 if module.check_mode else PATIENCE)
    except (PackagesError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, missing=seen.missing, installed=[], interrupted=seen.interrupted)


if __name__ == "__main__":
    main()
