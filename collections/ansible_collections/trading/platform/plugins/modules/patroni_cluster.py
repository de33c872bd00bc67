#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patroni_cluster
short_description: Look at, switch over, restart and configure a Patroni cluster
version_added: 0.2.0
author: trading.platform contributors (@trading)
description:
  - Speaks to Patroni's REST API over mutual TLS, looks at the whole cluster, refuses what would lose data or fail,
    acts, and waits for the outcome. What cannot be read is a failure.
  - A switchover makes the clients wait instead of failing them. It pauses every pgbouncer, switches, resumes them as
    soon as the candidate writes, and measures. They are resumed whatever happens; a second process does it if this one
    is killed.
  - Run it on one database host, for a switchover on the leader's, where it can write out dirty pages beforehand.
  - A pause outlives only the loss of the very host that the module runs on. Then O(state=resume_proxies) from another
    database host ends it, or clients give up after pgbouncer's C(query_wait_timeout).
options:
  state:
    description:
      - V(info) looks, and changes nothing.
      - V(switchover) makes O(candidate) or the synchronous standby the leader. Refused while the cluster is paused, a
        member is missing, the lag is above O(max_lag_bytes), or the candidate is not synchronous in synchronous mode.
      - V(failover) makes a replica the leader where no healthy leader exists. Refused where one does.
      - V(promote) has a standby cluster take writes (C(standby_cluster) leaves the settings) and waits until it does.
        That no other site does is the caller's to make sure of. An empty plan where it does already.
      - V(restart) restarts PostgreSQL on O(member). A leader's clients wait behind the proxies.
      - V(rolling_restart) restarts replicas one at a time, then the primary by a switchover.
      - V(reinit) wipes the copy of the replica O(member) and takes a new one from the leader.
      - V(pause) and V(resume) switch the automatic failover off and on.
      - V(configured) merges O(config) into the cluster-wide settings.
      - V(resume_proxies) resumes pgbouncers that something left paused, then fails where one could not be asked.
    type: str
    choices:
      [info, switchover, failover, promote, restart, rolling_restart, reinit, pause, resume, configured, resume_proxies]
    default: info
  members:
    description:
      - Address of each member by its name in Patroni. One that Patroni does not list, or lists besides, is an error.
      - V(configured), V(pause) and V(resume) go on while a member is away.
    type: dict
    required: true
  scope:
    description: Name of the cluster. A member of another one is an error.
    type: str
    required: true
  port:
    description: Port of the REST API.
    type: int
    default: 8008
  ca:
    description: CA of the API's and the pgbouncers' certificates.
    type: path
    default: /etc/trading-platform/pki/postgres/ca.pem
  cert:
    description: Client certificate to show.
    type: path
    default: /etc/trading-platform/pki/postgres/cert.pem
  key:
    description: Its key.
    type: path
    default: /etc/trading-platform/pki/postgres/key.pem
  username:
    description: User for calls that change something.
    type: str
    default: patroni
  password:
    description: Its password.
    type: str
  candidate:
    description: Who becomes leader. Without it the synchronous standby, or the replica least behind.
    type: str
  member:
    description: Whom V(restart) and V(reinit) mean.
    type: str
  everyone:
    description: V(rolling_restart) restarts members without a pending restart too.
    type: bool
    default: false
  config:
    description: Wanted settings as in C(GET /config). Merged deeply; null removes a key; what is not named stays.
    type: dict
    default: {}
  max_lag_bytes:
    description:
      - A replica further behind may not take over. Measured from the members' own positions, so a paused replay counts.
    type: int
    default: 1048576
  allow_data_loss:
    description: V(failover) accepts a replica that may miss acknowledged rows.
    type: bool
    default: false
  timeout:
    description: How long to wait for an outcome, in seconds.
    type: int
    default: 120
  landed:
    description: Members' own files have just changed. V(state=configured) waits until they say whether to restart.
    type: bool
    default: false
  settle:
    description: Seconds between the candidate being writable and the resuming, for the checks of haproxy to see it.
    type: float
    default: 0.2
  proxies:
    description: The pgbouncers to pause.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: How messages call it.
        type: str
        required: true
      host:
        description: Its address. It must be in its certificate.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        default: 6432
  proxies_required:
    description:
      - Whether a pgbouncer that cannot be reached refuses the switchover, because its clients would see broken
        transactions. V(false) goes on with a warning, for a proxy host that is known to be down.
    type: bool
    default: true
  proxy_password:
    description: Password of C(dbproxy_admin), the administrator of the pgbouncers.
    type: str
  pause_timeout:
    description: How long a transaction may hold up the pausing, in seconds. Then all is resumed and the task fails.
    type: float
    default: 2.0
  this_host:
    description: Name of the member that the module runs on, for the CHECKPOINT on the leader.
    type: str
    default: ""
  postgres_port:
    description: Port of PostgreSQL, for the same.
    type: int
    default: 5432
attributes:
  check_mode:
    description: Looks, judges, logs in to the proxies, and says what it would do.
    support: full
  diff_mode:
    description: Shows the settings before and after, or the leader.
    support: full
"""

EXAMPLES = r"""
- name: Make db2 the primary
  trading.platform.patroni_cluster:
    state: switchover
    candidate: db2
    members: {db1: 10.0.0.31, db2: 10.0.0.32}
    scope: trading
    password: "{{ postgres_api_password }}"
    proxies:
      - {name: app1, host: 10.0.0.21}
      - {name: app2, host: 10.0.0.22}
    proxy_password: "{{ dbproxy_admin_password }}"
    this_host: "{{ inventory_hostname }}"

- name: A larger cluster-wide limit, and one setting less
  trading.platform.patroni_cluster:
    state: configured
    members: {db1: 10.0.0.31, db2: 10.0.0.32}
    scope: trading
    password: "{{ postgres_api_password }}"
    config:
      postgresql:
        parameters: {max_connections: 200, log_min_duration_statement: null}
"""

RETURN = r"""
lines:
  description: What was found, planned and measured, for a person.
  type: list
  elements: str
  returned: always
leader:
  description: The leader's name, or null.
  type: str
  returned: success
members:
  description: Name, role, state, timeline, lag_bytes, pending_restart, its reason, replay_paused and answered of each.
  type: list
  elements: dict
  returned: success
sync_standbys:
  description: Names of the synchronous standbys.
  type: list
  elements: str
  returned: success
timeline:
  description: The leader's timeline.
  type: int
  returned: success
paused:
  description: Whether the automatic failover is paused.
  type: bool
  returned: success
pending_restart:
  description: Members that must be restarted.
  type: list
  elements: str
  returned: success
restart_parameters:
  description: Parameters of this change that need a restart.
  type: list
  elements: str
  returned: state=configured
config:
  description: The cluster-wide settings.
  type: dict
  returned: success
pause_s:
  description: How long it took until every proxy was paused.
  type: float
  returned: after a switchover
writable_s:
  description: From the request to the candidate being writable.
  type: float
  returned: after a switchover, failover or promotion
write_gap_s:
  description: From the first PAUSE to the last RESUME. No client waited longer.
  type: float
  returned: after a switchover
lag_before_bytes:
  description: The candidate's lag before.
  type: int
  returned: after a switchover
lag_after_bytes:
  description: The old primary's lag after.
  type: int
  returned: after a switchover
timeline_before:
  description: Timeline before.
  type: int
  returned: after a switchover
timeline_after:
  description: Timeline after.
  type: int
  returned: after a switchover
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._patroni.client import Client
from ..module_utils._patroni.operations import STATES
from ..module_utils._patroni.proxies import Access, Proxy
from ..module_utils._patroni.view import PatroniError
from ..module_utils._patroni.work import Options

PKI = "/etc/trading-platform/pki/postgres"
PROXY: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 6432},
}
SPEC: dict[str, Any] = {
    "state": {"type": "str", "choices": list(STATES), "default": "info"},
    "members": {"type": "dict", "required": True},
    "scope": {"type": "str", "required": True},
    "port": {"type": "int", "default": 8008},
    "ca": {"type": "path", "default": f"{PKI}/ca.pem"},
    "cert": {"type": "path", "default": f"{PKI}/cert.pem"},
    "key": {"type": "path", "default": f"{PKI}/key.pem", "no_log": False},
    "username": {"type": "str", "default": "patroni"},
    "password": {"type": "str", "no_log": True},
    "candidate": {"type": "str"},
    "member": {"type": "str"},
    "everyone": {"type": "bool", "default": False},
    "config": {"type": "dict", "default": {}},
    "max_lag_bytes": {"type": "int", "default": 1 << 20},
    "allow_data_loss": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 120},
    "landed": {"type": "bool", "default": False},
    "settle": {"type": "float", "default": 0.2},
    "proxies": {"type": "list", "elements": "dict", "default": [], "options": PROXY},
    "proxies_required": {"type": "bool", "default": True},
    "proxy_password": {"type": "str", "no_log": True},
    "pause_timeout": {"type": "float", "default": 2.0},
    "this_host": {"type": "str", "default": ""},
    "postgres_port": {"type": "int", "default": 5432},
}


def client(params: dict[str, Any]) -> Client:
    return Client(
        members={str(name): str(address) for name, address in params["members"].items()},
        scope=params["scope"],
        port=params["port"],
        ca=params["ca"],
        cert=params["cert"],
        key=params["key"],
        username=params["username"],
        password=params["password"] or "",
    )


def options(params: dict[str, Any]) -> Options:
    return Options(
        candidate=params["candidate"] or None,
        member=params["member"],
        everyone=params["everyone"],
        config=params["config"],
        max_lag=params["max_lag_bytes"],
        allow_data_loss=params["allow_data_loss"],
        timeout=params["timeout"],
        landed=params["landed"],
        settle=params["settle"],
        proxies=[Proxy(**proxy) for proxy in params["proxies"]],
        access=Access(params["proxy_password"], params["ca"]) if params["proxy_password"] else None,
        proxies_required=params["proxies_required"],
        pause_timeout=params["pause_timeout"],
        this_host=params["this_host"],
        postgres_port=params["postgres_port"],
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=SPEC,
        supports_check_mode=True,
        required_if=[("state", "restart", ["member"]), ("state", "reinit", ["member"])],
    )
    params = module.params
    try:
        result = STATES[params["state"]](client(params), options(params), module.check_mode)
    except PatroniError as error:
        module.fail_json(msg=str(error), changed=False)
    for warning in result.warnings:
        module.warn(warning)
    module.exit_json(changed=result.changed, lines=result.lines, diff=result.diff, **result.facts)


if __name__ == "__main__":
    main()
