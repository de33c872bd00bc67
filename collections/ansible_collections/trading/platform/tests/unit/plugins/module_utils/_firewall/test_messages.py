# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._firewall import messages


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        (
            messages.reverted("app1", 30, "timed out", 22, ["ops", "10.0.0.0/8"]),
            [
                "cut Ansible off from app1",
                "within 30 s",
                "put the previous rules back by itself",
                "Port 22 is open to ops, 10.0.0.0/8",
                "journalctl -u trading-firewall-revert",
                "said: timed out",
            ],
        ),
        (
            messages.reverted("app1", 30, None, 22, ["any"]),
            ["not confirmed within 30 s, or another run replaced them", "run again"],
        ),
        (
            messages.unreachable("app1", 30, 56, "no route", port=22, sources=["any"]),
            [
                "app1 could not be reached by a new connection for 56 s",
                "nft list table inet trading_platform",
                "no route",
            ],
        ),
        (
            messages.confirm_failed("app1", 30, "disk full"),
            ["could not be made permanent: disk full", "previous rules back 30 s after", "run again"],
        ),
    ],
)
def test_a_message_says_what_where_and_what_to_do(message: str, parts: list[str]) -> None:
    assert [part for part in parts if part not in message] == []
