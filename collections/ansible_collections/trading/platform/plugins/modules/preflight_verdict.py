# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_verdict
short_description: Judge all hosts together after preflight_host
version_added: 0.1.0
author: trading.platform contributors (@trading)
description:
  - Runs once, on the controller. It reads what M(trading.platform.preflight_host) registered on every host of the play.
  - Fails the whole run when a host was unreachable or has a problem, with a table that says the state of every host.
options:
  register:
    description: Name of the variable that the hosts' results were registered in.
    type: str
    required: true
attributes:
  check_mode:
    description: Changes nothing in either mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Stop unless every host is ready
  trading.platform.preflight_verdict:
    register: seen
  run_once: true
"""

RETURN = r"""
hosts:
  description: State of every host, V(ready), V(not ready) or V(unreachable).
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """The work is in the action plugin; this file carries the documentation."""
    module = AnsibleModule(argument_spec={"register": {"type": "str", "required": True}}, supports_check_mode=True)
    module.fail_json(msg="trading.platform.preflight_verdict runs on the controller: its action plugin was not found")


if __name__ == "__main__":
    main()
