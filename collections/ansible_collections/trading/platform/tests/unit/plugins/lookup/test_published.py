# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.lookup.published import scope_of
from ansible_collections.trading.platform.plugins.module_utils._site.model import SiteError


class HostVars(dict[str, dict[str, Any]]):
    def raw_get(self, host: str) -> dict[str, Any]:
        return self[host]


HERE = {
    "inventory_hostname": "ops1",
    "mine": "of ops1",
    "playbook_dir": "/p",
    "ansible_play_hosts_all": ["ops1"],
    "groups": {"all": ["ops1", "db1"]},
    "hostvars": HostVars(db1={"inventory_hostname": "db1", "theirs": "of db1"}),
}


def test_another_host_is_seen_with_its_own_variables_whatever_the_limit() -> None:
    seen = scope_of("db1", HERE)
    assert (seen["inventory_hostname"], seen["theirs"], seen["playbook_dir"]) == ("db1", "of db1", "/p")
    assert seen["ansible_play_hosts_all"] == ["ops1", "db1"]
    assert "mine" not in seen


def test_a_host_that_is_not_in_the_inventory_is_refused() -> None:
    with pytest.raises(SiteError, match="db9 is not in the inventory"):
        scope_of("db9", HERE)
