#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module units."""

from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: Bring any number of systemd units into their state in one round trip
version_added: 0.1.0
author: trading.platform contributors (@trading)
description:
  - Asks systemd about all units at once, works out what has to be done, and does it with one C(systemctl) call per
    verb. Units that are as they should be cost nothing more.
  - Reloads systemd's own view when it says that a unit's file has changed.
  - A unit that was started has to be up at the end. If it is not, the task fails with the last lines of its journal.
notes:
  - An alias, such as C(sshd.service) for C(ssh.service), is resolved by systemd; results carry the real name.
  - A static unit, and one that only other units pull in, counts as enabled, as it does for C(systemctl is-enabled).
options:
  units:
    description: The units.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The unit's name. Without a suffix it is a service.
        type: str
        required: true
      state:
        description:
          - V(started) and V(stopped) act only when needed; V(restarted) and V(reloaded) always act.
          - V(reloaded) starts a unit that is not running.
        type: str
        choices: [started, stopped, restarted, reloaded]
      enabled:
        description: Whether the unit starts at boot.
        type: bool
      masked:
        description:
          - Whether the unit is made impossible to start. A unit that does not exist can be masked.
        type: bool
  daemon_reload:
    description:
      - V(auto) reloads when systemd reports that the file of one of the units changed, or when a unit is not known yet.
    type: str
    choices: [auto, always, never]
    default: auto
  wait:
    description: How many seconds a started unit has to be up. V(0) does not look.
    type: int
    default: 10
attributes:
  check_mode:
    support: full
    description: A unit that does not exist yet is a predicted change with a warning; so is a host without systemd.
  diff_mode:
    support: full
    description: Shows state and action of every unit that changes.
"""

EXAMPLES = r"""
- name: Run | Have the host's own services up, and the unwanted ones gone
  trading.platform.units:
    units:
      - {name: ssh, state: started, enabled: true}
      - {name: auditd, state: started, enabled: true}
      - {name: apt-daily.timer, state: stopped, enabled: false}
      - {name: ctrl-alt-del.target, masked: true}
"""

RETURN = r"""
daemon_reloaded:
  description: Whether systemd was told to read its unit files again.
  returned: success
  type: bool
started:
  description:
    - Units that were started. The lists C(stopped), C(restarted), C(reloaded), C(enabled), C(disabled), C(masked) and
      C(unmasked) are returned likewise.
  returned: success
  type: list
  elements: str
  sample: [ssh.service]
units:
  description: The units that failed.
  returned: when a unit could not be brought into its state
  type: list
  elements: str
  sample: [ssh.service]
"""

from collections.abc import Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._units.client import Units, UnitsError
from ansible_collections.trading.platform.plugins.module_utils._units.plan import wishes

UNIT_OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped", "restarted", "reloaded"]},
    "enabled": {"type": "bool"},
    "masked": {"type": "bool"},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "dict", "required": True, "options": UNIT_OPTIONS},
            "daemon_reload": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
            "wait": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )

    def run(command: Sequence[str]) -> tuple[int, str, str]:
        try:
            code, out, err = module.run_command(list(command), handle_exceptions=False)
        except OSError as error:
            return 127, "", str(error)
        return code, out, err

    client = Units(run, module.warn, check_mode=module.check_mode)
    try:
        result = client.ensure(wishes(module.params["units"]), module.params["daemon_reload"], module.params["wait"])
    except (UnitsError, ValueError) as error:
        module.fail_json(msg=str(error), **getattr(error, "details", {}))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
