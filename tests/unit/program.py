# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that a role lands on hosts, as a module for its tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def imported(program: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(program.stem, program)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[program.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
