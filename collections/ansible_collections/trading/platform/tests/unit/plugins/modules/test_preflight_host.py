# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a port, on a host that is busy."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from ansible_collections.trading.platform.plugins.modules import preflight_host


def test_a_connection_that_closes_meanwhile_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    readlink = os.readlink
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as closing:

        def gone(link: Path) -> str:
            if link.name == str(closing.fileno()):
                raise FileNotFoundError(link)
            return readlink(link)

        monkeypatch.setattr(os, "readlink", gone)
        inode = str(os.fstat(server.fileno()).st_ino)
        found = preflight_host.holders({inode})
    assert [holder.split("(pid ")[1] for holder in found[inode]] == [f"{os.getpid()})"]
