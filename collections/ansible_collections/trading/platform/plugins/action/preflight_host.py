# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.trading.platform.plugins.module_utils._preflight.host import clock_offset, clock_problem


class ActionModule(ActionBase):  # type: ignore[misc]
    """Brackets the module's call with the controller's clock, and turns a failure into a problem for the verdict."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        before = time.time()
        answer = self._execute_module(module_name="trading.platform.preflight_host", task_vars=task_vars)
        after = time.time()
        if answer.get("failed") or "now" not in answer:
            why = str(answer.get("msg") or answer.get("module_stderr") or "the module gave no answer").strip()
            result.update(changed=False, problems=[f"it was reached, but could not be looked at: {why}"])
            return result
        result.update(answer)
        offset = clock_offset(before, result.pop("now"), after)
        allowed = self._task.args.get("clock_offset_max_s")
        result["clock_offset_s"] = round(offset, 3)
        result["problems"] += clock_problem(offset, None if allowed is None else float(allowed))
        return result
