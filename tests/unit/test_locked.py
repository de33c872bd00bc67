# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which playbooks take the lock, and that each gives it back whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RELEASES = ["blue_green", "canary", "deploy", "rollback", "scale", "update_config"]
LOCKED = [*RELEASES, "failback", "reinit_replica", "restore_pitr", "rolling_restart", "switchover"]


def tasks(name: str) -> list[dict[str, Any]]:
    _preflight, play = yaml.safe_load((ROOT / f"playbooks/{name}.yml").read_text())
    return list(play["tasks"])


def does(task: dict[str, Any], state: str) -> bool:
    role = task.get("ansible.builtin.import_role", {})
    taken = task.get("vars", {}).get("common_lock_state", "acquired")
    return (role.get("name"), role.get("tasks_from"), taken) == ("common", "lock", state)


@pytest.mark.parametrize("name", LOCKED)
def test_it_takes_the_lock_first_and_always_gives_it_back(name: str) -> None:
    take, work = tasks(name)
    assert does(take, "acquired")
    assert "override_freeze" in take["vars"]["common_lock_override_freeze"]
    assert does(work["always"][-1], "released")


@pytest.mark.parametrize("name", ["failover", "maintenance"])
def test_what_an_incident_needs_waits_for_nobody(name: str) -> None:
    assert not any(does(task, "acquired") for task in tasks(name))
