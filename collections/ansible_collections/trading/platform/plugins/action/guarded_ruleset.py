# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of guarded_ruleset: render, try, prove a new connection, confirm. The module has the docs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display
from ansible_collections.trading.platform.plugins.module_utils._firewall import messages
from ansible_collections.trading.platform.plugins.module_utils._firewall.openings import (
    OpeningsError,
    build_ruleset,
    host_address,
    ssh_sources,
)

SPEC = {
    # As a plain list: the pure layer checks its entries, and names all that is wrong at once.
    "openings": {"type": "list", "required": True},
    "confirm_within": {"type": "int", "default": 30},
    "ssh_port": {"type": "int", "default": 22},
    "log_drops": {"type": "str", "default": ""},
    "container_bridges": {"type": "list", "elements": "str", "default": []},
}
# The host must be back within 60 s of a bad change, with some room for a slow timer.
WITHIN = range(5, 46)
# How long to go on knocking after the host's deadline, to be able to say that it is back.
GRACE = 25

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    _supports_check_mode = True
    _supports_diff = True
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self._vars = task_vars or {}
        self._host = str(self._vars.get("inventory_hostname", "the host"))
        _unused, self._given = self.validate_argument_spec(argument_spec=SPEC)
        if self._given["confirm_within"] not in WITHIN:
            raise AnsibleActionFail(f"confirm_within must be {WITHIN[0]} to {WITHIN[-1]} seconds.")
        token = uuid.uuid4().hex
        tried = self._on_host(step="try", ruleset=self._render(), token=token)
        if tried.get("failed") or tried.get("status") != "pending":
            return tried
        return {**tried, **self._confirm(token)}

    def _render(self) -> str:
        hostvars: Mapping[str, Mapping[str, Any]] = self._vars["hostvars"]
        try:
            return build_ruleset(
                self._given["openings"],
                self._vars["groups"],
                lambda name: host_address(hostvars[name]),
                self._given["ssh_port"],
                self._given["log_drops"],
                bridges=self._given["container_bridges"],
            )
        except OpeningsError as error:
            raise AnsibleActionFail(str(error)) from error

    def _confirm(self, token: str) -> dict[str, Any]:
        """Knock until the host answers. What it says then decides, not the controller's clock."""
        start = time.monotonic()
        last_error: str | None = None
        while last_error is None or time.monotonic() < start + self._given["confirm_within"] + GRACE:
            self._forget_connection()
            try:
                answer = self._on_host(step="confirm", token=token)
            except AnsibleConnectionFailure as error:
                if last_error is None:
                    display.warning(f"{self._host} does not answer after the change of its firewall rules. Trying on.")
                last_error = str(error)
                time.sleep(1)
            else:
                return self._verdict(answer, int(time.monotonic() - start), last_error)
        return self._verdict(None, int(time.monotonic() - start), last_error)

    def _verdict(self, answer: dict[str, Any] | None, waited: int, last_error: str | None) -> dict[str, Any]:
        within, port = self._given["confirm_within"], self._given["ssh_port"]
        sources = ssh_sources(self._given["openings"], port)
        if answer is None:
            said = messages.unreachable(self._host, within, waited, str(last_error), port=port, sources=sources)
            return {"changed": True, "status": "unconfirmed", "failed": True, "msg": said}
        if answer.get("failed"):
            said = messages.confirm_failed(self._host, within, str(answer.get("msg", "")))
            return {**answer, "changed": True, "status": "unconfirmed", "msg": said}
        if answer["status"] == "reverted":
            if last_error is None and waited >= within:
                last_error = "nothing, it hung until the host had reverted"
            said = messages.reverted(self._host, within, last_error, port, sources)
            return {"changed": False, "status": "reverted", "failed": True, "msg": said}
        return answer

    def _forget_connection(self) -> None:
        """Close the SSH master: a connection from before the change proves nothing, conntrack lets it through."""
        if type(self._connection).reset is not ConnectionBase.reset:
            self._connection.reset()

    def _on_host(self, **step: str) -> dict[str, Any]:
        # The openings stay here: the host gets them as text.
        arguments = {"openings": [], "confirm_within": self._given["confirm_within"], **step}
        answer: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=self._vars)
        return answer
