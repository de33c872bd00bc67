#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: guarded_ruleset
short_description: Load a host's packet filter, and have the host undo it if it cuts Ansible off
version_added: 0.1.0
description:
  - Turns a list of openings into one nftables table, C(inet trading_platform), that drops all other inbound traffic.
  - Loads it in one transaction and touches no other table. It never flushes the ruleset, which would break
    the rules of Docker and of others.
  - Before a change the host arms a timer. Ansible then drops its connection, opens a new one, and only this
    new connection confirms the change. If none comes within O(confirm_within) seconds, the host puts the previous rules
    back by itself and the task fails.
  - Only confirmed rules are written for the next boot. C(trading-firewall.service) loads them
    before the network comes up.
  - Where nothing changed this is one round trip. Rules that somebody changed or removed by hand are put back.
  - What the host forwards into one of O(container_bridges) is filtered by the same openings, each taken as a
    published port. Other forwarding, and what the host sends, is left alone.
options:
  openings:
    description:
      - What to let in. Everything else is dropped, except answers, loopback and the ICMP that IP needs.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the opening is for. Lands in the rule as its comment.
        type: str
        required: true
      port:
        description: A port, a range V(a-b), or a list of these. Required for V(tcp) and V(udp).
        type: raw
      proto:
        description: The protocol. Those other than V(tcp) and V(udp) take no port.
        type: str
        default: tcp
        choices: [tcp, udp, ah, esp, gre, igmp, ospf, vrrp]
      sources:
        description:
          - V(any), names of inventory groups, addresses or CIDRs, IPv4 or IPv6.
          - A group stands for the C(private_address) of its hosts, or their C(ansible_host) where that is not set.
            Both must be addresses, not names. C(private_address) may be a list.
        type: list
        elements: str
        required: true
      role:
        description: Who published the opening. Not used.
        type: str
  confirm_within:
    description: After how many seconds without a new connection the host puts the previous rules back, 5 to 45.
    type: int
    default: 30
  ssh_port:
    description:
      - The port on which the host's sshd listens. If no opening lets it in, the task fails before any change.
    type: int
    default: 22
  log_drops:
    description: How much of what is dropped to log to the kernel log, such as V(10/minute). Empty logs nothing.
    type: str
    default: ""
  container_bridges:
    description:
      - Interfaces behind which containers are, as names; V(br-*) stands for all that begin so.
      - From outside only published ports are reachable, and these only where an opening lets their port in.
        Without a bridge nothing that is forwarded is filtered.
    type: list
    elements: str
    default: []
    version_added: 0.3.0
  ruleset:
    description: The rendered table. The action fills it in, do not set it.
    type: str
  step:
    description: Which half of the change to do. The action sets it, do not set it.
    type: str
    choices: [try, confirm]
    default: try
  token:
    description: Which change to confirm. The action sets it, do not set it.
    type: str
    default: ""
attributes:
  check_mode:
    description: Predicts the change and changes nothing, also where nft is not installed yet.
    support: full
  diff_mode:
    description: Shows the committed and the new rules, or what somebody changed by hand.
    support: full
requirements:
  - nftables and systemd on the host
author: trading.platform contributors (@trading)
"""

EXAMPLES = r"""
- name: Let in SSH from anywhere and PostgreSQL from the application hosts
  trading.platform.guarded_ruleset:
    openings:
      - {name: ssh, port: 22, proto: tcp, sources: [any]}
      - {name: postgres, port: 5432, proto: tcp, sources: [app, 10.20.0.0/24]}
      - {name: vrrp, proto: vrrp, sources: [lb]}
    log_drops: 10/minute
  become: true
"""

RETURN = r"""
status:
  description:
    - V(unchanged) or V(confirmed).
    - With a failure V(reverted), or V(unconfirmed) where the host is still to put the previous rules back.
    - In check mode V(predicted) where something would change.
    - V(nft_missing) where the package nftables has to be installed first. Nothing was done, ask again afterwards.
  returned: always
  type: str
  sample: confirmed
reasons:
  description: Why something had to change.
  returned: always
  type: list
  elements: str
  sample: [the rules differ from the committed ones]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._firewall import host
from ansible_collections.trading.platform.plugins.module_utils._firewall.plan import Plan, make_plan

OPENING = {
    "name": {"type": "str", "required": True},
    "port": {"type": "raw"},
    "proto": {"type": "str", "default": "tcp", "choices": ["tcp", "udp", "ah", "esp", "gre", "igmp", "ospf", "vrrp"]},
    "sources": {"type": "list", "elements": "str", "required": True},
    "role": {"type": "str"},
}


def predict(ruleset: str) -> dict[str, object]:
    """Check mode: look, and write not even the lock."""
    plan = make_plan(ruleset, host.observe())
    if host.nft_present():
        host.validate(ruleset)
    return outcome("predicted" if plan.reasons else "unchanged", plan)


def try_ruleset(ruleset: str, token: str, seconds: int) -> dict[str, object]:
    """Find nothing to do, or load the rules under guard."""
    if not host.nft_present():
        return {"changed": False, "status": "nft_missing", "reasons": ["nft is not installed"]}
    with host.locked():
        seen = host.observe()
        plan = make_plan(ruleset, seen)
        if not plan.reasons:
            return outcome("unchanged", plan)
        host.validate(ruleset)
        live = seen.live
        if seen.pending:
            host.settle()
            live = host.listing()
        host.try_ruleset(ruleset, live, token, seconds)
    return outcome("pending", plan)


def confirm(token: str) -> dict[str, object]:
    with host.locked():
        return {"changed": True, "status": "confirmed" if host.confirm(token) else "reverted"}


def outcome(status: str, plan: Plan) -> dict[str, object]:
    diff = {
        "before": plan.before,
        "after": plan.after,
        "before_header": f"table inet {host.TABLE} (now)",
        "after_header": f"table inet {host.TABLE} (new)",
    }
    return {"changed": status != "unchanged", "status": status, "reasons": list(plan.reasons), "diff": diff}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "openings": {"type": "list", "elements": "dict", "required": True, "options": OPENING},
            "confirm_within": {"type": "int", "default": 30},
            "ssh_port": {"type": "int", "default": 22},
            "log_drops": {"type": "str", "default": ""},
            "container_bridges": {"type": "list", "elements": "str", "default": []},
            "ruleset": {"type": "str"},
            "step": {"type": "str", "choices": ["try", "confirm"], "default": "try"},
            # No secret: it only tells one change from another.
            "token": {"type": "str", "default": "", "no_log": False},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        if module.check_mode:
            result = predict(given["ruleset"])
        elif given["step"] == "try":
            result = try_ruleset(given["ruleset"], given["token"], given["confirm_within"])
        else:
            result = confirm(given["token"])
    except (host.FirewallError, OSError) as error:
        module.fail_json(msg=f"guarded_ruleset: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
