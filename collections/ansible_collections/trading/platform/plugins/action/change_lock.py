# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of change_lock: says who asks, and knows whether a holder on this controller is dead."""

from __future__ import annotations

import getpass
import os
import socket
import time
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.trading.platform.plugins.module_utils._lock.process import gone, token
from ansible_collections.trading.platform.plugins.module_utils._lock.states import FORGIVING


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        given = dict(self._task.args)
        me = identity(str(given.get("reason") or ""), task_vars or {})
        try:
            answer = self._on_host({**given, "me": me}, task_vars)
            if answer.get("token") and gone(answer["token"]):
                answer = self._on_host({**given, "me": me, "instead_of": answer["token"]}, task_vars)
        except AnsibleConnectionFailure as error:
            answer = {"msg": str(error)}
        if "answered" in answer:
            return answer
        another = self._task.delegate_to in list(given.get("hosts") or [])[:-1]
        return unanswered(self._task.delegate_to, answer, another, str(given.get("state")))

    def _on_host(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        return answer


def unanswered(host: str, answer: dict[str, Any], another: bool, state: str) -> dict[str, Any]:
    """Not reached, or without what a module needs: that says nothing about the lock.

    Never unreachable, which would leave the app host that asked out of all that comes, also out of going back.
    """
    why = str(answer.get("module_stderr") or answer.get("msg") or "no answer").strip()
    said = f"{host} cannot ask for the lock ({why})."
    if another or state in FORGIVING:
        next_host = " Trying the next." if another else " No other is left; it goes on without."
        return {"changed": False, "answered": not another, "lines": [], "warnings": [said + next_host]}
    return {"failed": True, "answered": True, "msg": f"{said} No other is left. Without the lock nothing is changed."}


def identity(reason: str, task_vars: dict[str, Any]) -> dict[str, Any]:
    """This run: the process of ansible-playbook, whose child works on a task."""
    run = os.getppid()
    sources = [short(str(source)) for source in task_vars.get("ansible_inventory_sources") or ()]
    words = context.CLIARGS.get("args") or ["ansible"]
    return {
        "person": os.environ.get("SUDO_USER") or getpass.getuser(),
        "controller": socket.gethostname(),
        "playbook": Path(words[0] if isinstance(words, (list, tuple)) else words).name,
        "pid": run,
        "token": token(run),
        "since": time.time(),
        "reason": reason,
        "inventory": " -i ".join(sources),
    }


def short(path: str) -> str:
    """As it would be typed here."""
    inside = os.path.relpath(path)
    return path if inside.startswith("..") else inside
