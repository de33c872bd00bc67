#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: change_lock
short_description: Have one run at a time change a fleet
version_added: 0.3.0
author: trading.platform contributors (@trading)
description:
  - A lock in etcd, on a lease that lapses by itself and that the run renews with each of its steps. Every change is
    one transaction, compared with what was read. Where etcd does not answer, nobody gets the lock.
  - The holder is the very process of C(ansible-playbook), so its later plays hold the lock too.
  - A freeze lies beside it and refuses every run that does not say why it goes on all the same.
  - Runs on any host that reaches etcd and has its CA. The controller's part says who asks, and finds out whether a
    holder on the same controller is dead; its lock is then taken over at once.
options:
  state:
    description:
      - V(acquired) takes the lock, or renews it where this run has it. Refused while another run holds it, or frozen.
      - V(renewed) prolongs it. Where it had lapsed and nobody came between, it is taken again; else it fails.
      - V(kept) is V(renewed) for a run that puts back what it did. Where etcd does not answer, that is a warning.
      - V(released) gives it back. A lock that is another's by now is left alone.
      - V(status) looks.
      - V(cleared) takes it away from O(holder), whose run then stops at its next step.
      - V(frozen) and V(thawed) begin and end a freeze.
      - In check mode all of them only look, and say what would be refused.
    type: str
    choices: [acquired, renewed, kept, released, status, cleared, frozen, thawed]
    default: acquired
  hosts:
    description: Where a loop tries this task in turn. One that is not reached, but the last, gives RV(answered=false).
    type: list
    elements: str
    default: []
  endpoints:
    description: The client addresses of etcd's members, such as C(https://10.0.0.1:2379).
    type: list
    elements: str
    required: true
  ca:
    description: File with the CA that the members are checked against.
    type: path
    required: true
  password:
    description: The password of etcd's user C(lock).
    type: str
    required: true
  minutes:
    description: How long the lock holds without being renewed.
    type: int
    default: 10
  reason:
    description: What the run does, or why the fleet is frozen, which has to be said.
    type: str
    default: ""
  override_freeze:
    description: Why this run goes on although the fleet is frozen.
    type: str
    default: ""
  until:
    description: When a freeze ends, as C(2026-12-24T18:00) (UTC) or as C(90m), C(8h), C(3d) from now. Empty is never.
    type: str
    default: ""
  holder:
    description: Whose lock is cleared, as C(person@controller).
    type: str
    default: ""
  instead_of:
    description: Token of a dead run. The controller's part fills it in, do not set it.
    type: str
    default: ""
  me:
    description: The run that asks. The controller's part fills it in, do not set it.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: Looks. Where etcd does not answer, as on an empty fleet, that is a warning.
  diff_mode:
    support: none
    description: There is nothing to show; the lines tell it.
"""

EXAMPLES = r"""
- name: Take the lock
  trading.platform.change_lock:
    endpoints: [https://10.0.0.1:2379, https://10.0.0.2:2379, https://10.0.0.3:2379]
    ca: /etc/trading-platform/pki/etcd/ca.pem
    password: "{{ lock_password }}"
    reason: release 1.4.2
  delegate_to: db1
  run_once: true
"""

RETURN = r"""
lines:
  description: What there is to say, for a person.
  type: list
  elements: str
  returned: success
answered:
  description: Whether the host could be reached.
  type: bool
  returned: always
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._etcd.client import Etcd, EtcdError, tls
from ansible_collections.trading.platform.plugins.module_utils._lock.client import Locks
from ansible_collections.trading.platform.plugins.module_utils._lock.records import HeldError, Holder, LockError
from ansible_collections.trading.platform.plugins.module_utils._lock.states import FORGIVING, STATES, Asked

# In all, and for one member, in seconds. Who begins is refused within ten where etcd is away; who is in the midst of
# a change waits for an election or a busy disk.
BEGINNING = (4, 2.5)
MIDST = (30, 5)


def log_in(given: dict[str, Any]) -> Etcd:
    patience = MIDST if given["state"] in ("renewed", *FORGIVING) else BEGINNING
    etcd = Etcd(given["endpoints"], tls(given["ca"]), *patience)
    etcd.token = etcd.authenticates("lock", given["password"])
    if not etcd.token:
        raise EtcdError(
            "etcd does not accept the password of its user lock. site.yml --tags etcd sets the vault's.", 16
        )
    return etcd


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": list(STATES), "default": "acquired"},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "endpoints": {"type": "list", "elements": "str", "required": True},
            "ca": {"type": "path", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "minutes": {"type": "int", "default": 10},
            "reason": {"type": "str", "default": ""},
            "override_freeze": {"type": "str", "default": ""},
            "until": {"type": "str", "default": ""},
            "holder": {"type": "str", "default": ""},
            # No secret: it names a process.
            "instead_of": {"type": "str", "default": "", "no_log": False},
            "me": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    given = module.params
    asked = Asked(
        **{name: given[name] for name in ("reason", "override_freeze", "until", "holder", "instead_of")},
        check=module.check_mode,
    )
    try:
        changed, lines = STATES[given["state"]](
            Locks(log_in(given), Holder(**given["me"]), given["minutes"] * 60), asked
        )
    except HeldError as error:
        module.fail_json(msg=str(error), token=error.token, answered=True)
    except LockError as error:
        module.fail_json(msg=str(error), answered=True)
    except (EtcdError, OSError) as error:
        said = f"The lock on changes lies in etcd, which could not be asked: {error}"
        if not module.check_mode and given["state"] not in FORGIVING:
            module.fail_json(msg=f"{said} Without it nothing is changed.", answered=True)
        module.warn(said)
        changed, lines = False, []
    module.exit_json(changed=changed, lines=lines, answered=True)


if __name__ == "__main__":
    main()
