# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repair may do to a host."""

from __future__ import annotations

from ansible_collections.trading.platform.plugins.action.packages import REPAIRS


def test_no_repair_removes_a_package() -> None:
    installing = [repair for repair in REPAIRS if "apt-get" in repair and "install" in repair]
    assert installing
    assert all("--no-remove" in repair for repair in installing)
