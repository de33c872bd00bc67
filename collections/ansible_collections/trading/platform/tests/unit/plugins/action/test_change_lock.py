# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a member of etcd that cannot be reached means for the run that asks."""

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.action.change_lock import unanswered


@pytest.mark.parametrize(
    ("another", "state", "fails", "answered"),
    [
        (True, "renewed", False, False),
        (False, "renewed", True, True),
        (False, "acquired", True, True),
        (True, "kept", False, False),
        # Going back and ending need no word.
        (False, "kept", False, True),
        (False, "released", False, True),
    ],
)
def test_unanswered(another: bool, state: str, fails: bool, answered: bool) -> None:
    told = unanswered("db3", {"msg": "Connection refused", "unreachable": True}, another, state)
    assert (told.get("failed", False), told["answered"]) == (fails, answered)
    assert "unreachable" not in told, "the host that asked would be left out of all that follows"
    assert "db3 cannot ask for the lock (Connection refused)." in (told["msg"] if fails else told["warnings"][0])
