#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Start a release next to the one that serves, switch to it, and stop the old one
version_added: 0.3.0
author: trading.platform contributors (@trading)
description:
  - Each host has two sets of containers, blue and green. haproxy sends requests to the one that a map names. A release
    starts in the other colour, has to be ready in haproxy's eyes, gets the requests by one commit of the map, and only
    then the old set is drained and stopped. No container port is published, haproxy is never reloaded.
  - Whatever fails before the switch is put back, the set that serves is not touched, and the message holds the reason
    and the last lines of the container's log.
  - Killed anywhere, the same again ends in the same state. The map's file says who serves; what the state file says
    besides is put right by it.
  - An image that is here by its digest is not pulled, and C(trading.platform/<service>:<release>) keeps it, so the way
    back needs no registry.
options:
  action:
    description:
      - V(info) looks, and changes nothing.
      - V(pulled) has images and record here. No container is touched.
      - V(warmed) has the release ready in the colour that does not serve.
      - V(live) has it serve. What is missing of it is started, what differs is exchanged by a switch.
      - V(shared) sends O(share) percent of the clients and O(users) to a warm release, which is a canary from then on.
      - V(withdrawn) sends nobody to the other set any more, drains it, and removes it.
      - V(scaled) changes the number of instances of the live set.
    type: str
    choices: [info, pulled, warmed, live, shared, withdrawn, scaled]
    default: info
  release:
    description:
      - "The record: version, configuration, and services with name, image by digest, command, instances, port, ready,
        env, secrets, health, memory, cpus, pids and stop_timeout. The filter P(trading.platform.app_release#filter)
        makes one."
    type: dict
  name:
    description: A release that this host has a record of, by its full name, or by its version for the newest of it.
    type: str
  share:
    description: Percentage of the clients for V(shared), 0 to 100. A client stays on its side while the share grows.
    type: int
    default: 0
  users:
    description: Routing keys that V(shared) sends to the canary, whatever the share.
    type: list
    elements: str
    default: []
  instances:
    description: Number of instances by service, for V(scaled).
    type: dict
    default: {}
  keep_other:
    description: V(live) leaves the old set running, ready for the way back.
    type: bool
    default: false
  back:
    description:
      - V(live) goes back. What has served since the release did is no way back any more, so RV(previous) is what served
        before it, and a second rollback does not lead to what the first one went away from.
    type: bool
    default: false
  ready_timeout:
    description: Seconds that a container has to become ready.
    type: int
    default: 60
  drain_timeout:
    description: Seconds that requests in flight and WebSockets have to end. The stop timeout of a service comes after.
    type: int
    default: 30
  keep:
    description: How many releases to keep records, images and secret files of.
    type: int
    default: 3
  registry_auth:
    description: C(username) and C(password) for the registry. Without it the engine's own of root are used.
    type: dict
attributes:
  check_mode:
    support: full
    description: Tells the steps. Images and secret files may be missing still.
  diff_mode:
    support: full
    description: Shows who serves before and after; in check mode the steps.
notes:
  - Runs as root on a host with python3-docker, the network C(trading) and haproxy's C(/run/app-proxy/admin.sock).
  - The address of a container follows from its place in the list of services. New services go to the end of the list.
"""

EXAMPLES = r"""
- name: Swap | Have the release serve
  trading.platform.release:
    action: live
    release: "{{ app_services | trading.platform.app_release('v2', images, env=app_env, secrets=app_secrets) }}"

- name: Back | Have the release before serve again, without the registry
  trading.platform.release:
    action: live
    name: v1
    back: true

- name: Canary | One client in ten
  trading.platform.release:
    action: shared
    name: v2-1a2b3c4d
    share: 10
    users: [tester]
"""

RETURN = r"""
live:
  description: Release and colour that serve, or null.
  type: dict
  returned: always, where the host could be looked at
other:
  description: Release, colour and purpose (V(candidate), V(canary) or V(standby)) of the other set, or null.
  type: dict
  returned: always, where the host could be looked at
previous:
  description: The release that served before and can serve again, or null.
  type: str
  returned: success
releases:
  description: Names of the releases on this host; those that have served first, the latest first.
  type: list
  elements: str
  returned: success
records:
  description: Their records, by name.
  type: dict
  returned: success
ready:
  description: For each colour whether every container runs and haproxy sees it up.
  type: dict
  returned: success
instances:
  description: Instances of the live set by service.
  type: dict
  returned: success
share:
  description: Percentage of clients on the canary.
  type: int
  returned: success
users:
  description: Routing keys on the canary.
  type: list
  elements: str
  returned: success
counters:
  description:
    - For each colour and service requests, errors (5xx), connection_errors, response_ms (haproxy's average of the last
      1024), sessions and up (slots). Totals since haproxy was started; take the difference of two.
  type: dict
  returned: success
measured:
  description: ready_s, drain_s and total_s; null for what was not needed.
  type: dict
  returned: success
steps:
  description: What was done, or would be, for a person.
  type: list
  elements: str
  returned: always
container:
  description: The container that failed.
  type: str
  returned: when one did
logs:
  description: Its last 20 lines.
  type: list
  elements: str
  returned: when a container failed
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._release.engine import Docker
from ..module_utils._release.proxy import Haproxy
from ..module_utils._release.records import ReleaseError
from ..module_utils._release.store import Files
from ..module_utils._release.work import Host, Request

SPEC: dict[str, Any] = {
    "action": {
        "type": "str",
        "choices": ["info", "pulled", "warmed", "live", "shared", "withdrawn", "scaled"],
        "default": "info",
    },
    "release": {"type": "dict"},
    "name": {"type": "str"},
    "share": {"type": "int", "default": 0},
    "users": {"type": "list", "elements": "str", "default": []},
    "instances": {"type": "dict", "default": {}},
    "keep_other": {"type": "bool", "default": False},
    "back": {"type": "bool", "default": False},
    "ready_timeout": {"type": "int", "default": 60},
    "drain_timeout": {"type": "int", "default": 30},
    "keep": {"type": "int", "default": 3},
    "registry_auth": {"type": "dict", "no_log": True},
}


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    params = dict(module.params)
    auth = params.pop("registry_auth")
    request = Request(**params)
    files = Files()
    try:
        host = Host(Docker(auth), Haproxy(files.routes_file, files.users_file), files)
        result = host.perform(request, module.check_mode)
    except ReleaseError as error:
        module.fail_json(msg=str(error), **{"steps": [], "changed": False, **error.details})
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
