# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.trading.platform.plugins.module_utils._preflight.host import message, reason, verdict

State = tuple[str, list[str]]


def state_of(seen: object) -> State:
    """A host's state from what preflight_host registered; no answer counts as a bad one."""
    if not isinstance(seen, Mapping):
        return "not ready", ["no result was registered for it"]
    if seen.get("unreachable"):
        return "unreachable", [reason(str(seen.get("msg") or ""))]
    problems = seen.get("problems")
    if not isinstance(problems, list):
        return "not ready", [str(seen.get("msg") or "it was not looked at")]
    return ("not ready", [str(problem) for problem in problems]) if problems else ("ready", [])


class ActionModule(ActionBase):  # type: ignore[misc]
    """No connection is used, so it also works when the play's first host is the one that is down."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, args = self.validate_argument_spec(argument_spec={"register": {"type": "str", "required": True}})
        hostvars = task_vars["hostvars"]
        states = {
            host: state_of(hostvars.raw_get(host).get(args["register"])) for host in task_vars["ansible_play_hosts_all"]
        }
        ready, lines = verdict(states)
        result.update(changed=False, hosts={host: state for host, (state, _problems) in states.items()})
        if not ready:
            result.update(failed=True, msg=message(states, lines, str(task_vars.get("ansible_limit") or "")))
        return result
