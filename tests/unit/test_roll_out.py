# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order a release goes, whatever its way: what can refuse comes before what moves a container."""

from __future__ import annotations

from pathlib import Path

import yaml

TASKS = Path(__file__).resolve().parents[2] / "roles/app/tasks"


def test_a_canary_is_given_up_only_once_every_host_is_prepared() -> None:
    """A failed pull or migration, a missing secret, a host in maintenance: all are found by prepare.yml."""
    [block] = [task for task in yaml.safe_load((TASKS / "roll_out.yml").read_text()) if "block" in task]
    does = [
        task.get("ansible.builtin.include_tasks") or task.get("trading.platform.release", {}).get("action")
        for task in block["block"]
    ]
    assert does.index("prepare.yml") < does.index("withdrawn") < does.index("{{ __app_way }}.yml")
