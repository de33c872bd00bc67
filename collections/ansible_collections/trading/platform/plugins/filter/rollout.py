# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the playbooks that move releases; the work is in module_utils/_release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.trading.platform.plugins.module_utils._release import gate, telling


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "canary_asked": gate.asked,
            "canary_sides": gate.sides,
            "canary_verdict": gate.verdict,
            "gatekeeper_answers": gate.gatekeeper,
            "rollout_failure": telling.failure,
            "rollout_plan": telling.plan,
            "rollout_reasons": telling.reasons,
            "rollout_summary": telling.summary,
            "scale_failure": telling.scale_failure,
            "scale_plan": telling.scale_plan,
            "usage_table": telling.usage,
        }
