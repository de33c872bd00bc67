# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

from ansible_collections.trading.platform.plugins.action.config_tree import ActionModule


def test_what_python_leaves_beside_a_program_is_no_part_of_the_tree(tmp_path: Path) -> None:
    programs = tmp_path / "usr" / "lib"
    compiled = programs / "__pycache__"
    compiled.mkdir(parents=True)
    (compiled / "program.cpython-311.pyc").write_bytes(b"\xff\x00")
    (programs / "program.py").write_text("", encoding="utf-8")
    assert ActionModule._sources(Mock(), tmp_path) == ["usr/lib/program.py"]
