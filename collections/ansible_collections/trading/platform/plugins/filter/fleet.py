# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the fleet role; the work is in module_utils/_fleet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.trading.platform.plugins.module_utils._fleet import files


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "fleet_images": files.images,
            "fleet_ssh_files": files.ssh_files,
            "loopback_ports": files.loopback_ports,
        }
