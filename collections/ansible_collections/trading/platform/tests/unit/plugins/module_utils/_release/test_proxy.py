# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the switch is told, and what of its answers counts as a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.trading.platform.plugins.module_utils._release.proxy import Haproxy
from ansible_collections.trading.platform.plugins.module_utils._release.records import ReleaseError
from ansible_collections.trading.platform.plugins.module_utils._release.world import Routes

ROUTES, USERS = Path("routes.map"), Path("users.map")


class Closed(Haproxy):
    """It serves blue already, and its port of the api is closed: as on a host that has just come back."""

    def __init__(self, says: str) -> None:
        super().__init__(ROUTES, USERS)
        self.says, self.told = says, list[str]()

    def command(self, text: str) -> str:
        if text == "show stat":
            return "# pxname,svname,status,\napi,FRONTEND,PAUSED,\nweb,FRONTEND,OPEN,"
        if text.startswith("show map"):
            return "0x1 live blue\n0x2 share 0" if text.endswith(str(ROUTES)) else ""
        self.told.append(text)
        return self.says


@pytest.mark.parametrize("says", ["", "All sockets are already enabled.", "Frontend is already enabled."])
def test_a_closed_port_is_opened_whoever_is_first(says: str) -> None:
    proxy = Closed(says)
    proxy.apply(Routes("blue"))
    assert proxy.told == ["enable frontend api"]


def test_a_port_that_cannot_be_opened_is_an_error() -> None:
    with pytest.raises(ReleaseError, match="refused to open the port of api: Failed to resume frontend"):
        Closed("Failed to resume frontend, check logs for precise cause (port conflict?).").apply(Routes("blue"))
