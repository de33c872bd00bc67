# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many logs may wait on a disk."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._backup.queue import queue_max

GIB = 1 << 30
WAL = "/var/lib/postgresql/15/trading/pg_wal"


def disk(mount: str, gib: float) -> dict[str, Any]:
    return {"mount": mount, "size_total": int(gib * GIB)}


@pytest.mark.parametrize(
    ("mounts", "most"),
    [
        ([disk("/", 40)], "10240MiB"),
        ([disk("/", 252)], "64512MiB"),
        ([disk("/", 2000)], "65536MiB"),
        # The nearest one holds it.
        ([disk("/var/lib/postgresql", 100), disk("/", 20), disk("/var", 8)], "25600MiB"),
        ([disk("/", 20), disk(WAL, 16)], "4096MiB"),
        # A name that only begins alike.
        ([disk("/", 20), disk("/var/lib/postgres", 100)], "5120MiB"),
        # A container's facts know no disk, and a mount may have no size.
        ([], "65536MiB"),
        ([disk("/etc/hosts", 100)], "65536MiB"),
        ([{"mount": "/"}], "65536MiB"),
        ([disk("/", 20), disk("/var", 0)], "5120MiB"),
    ],
)
def test_a_quarter_of_the_disk(mounts: list[dict[str, Any]], most: str) -> None:
    assert queue_max(mounts, WAL) == most
