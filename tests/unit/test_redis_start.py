# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Redis finds when it starts."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from program import imported

LIB = Path(__file__).resolve().parents[2] / "roles/redis/templates/tree/usr/local/lib/trading-platform"
imported(LIB / "redis_member.py")
start: Any = sys.modules["redis_start"]


@pytest.mark.parametrize(
    ("is_master", "has_file", "comes_back"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_dump_that_was_brought_back_is_where_an_empty_master_starts(
    tmp_path: Path, is_master: bool, has_file: bool, comes_back: bool
) -> None:
    dump = tmp_path / "restored/var/lib/redis/dump.rdb"
    dump.parent.mkdir(parents=True)
    dump.write_bytes(b"REDIS0010")
    base = tmp_path / "appendonlydir/appendonly.aof.1.base.rdb"
    if has_file:
        base.parent.mkdir()
    start.bring_back(SimpleNamespace(path=lambda name: tmp_path / name), is_master=is_master)
    assert base.exists() is comes_back
    if comes_back:
        assert base.read_bytes() == b"REDIS0010"
        assert base.with_name("appendonly.aof.manifest").read_text() == "file appendonly.aof.1.base.rdb seq 1 type b\n"
    # Used or not, it is not taken a second time.
    assert not (tmp_path / "restored").exists()
