# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What trading.platform.preflight accepts: one spec for the module's documentation and the action plugin that works."""

from __future__ import annotations

from typing import Any

LIST = {"type": "list", "elements": "str", "default": []}
SPEC: dict[str, dict[str, Any]] = {
    "site": {"type": "path"},
    "roles_path": {"type": "list", "elements": "path"},
    "required_groups": LIST,
    "quorum_groups": LIST,
    "networks": LIST,
    "addresses": {"type": "list", "elements": "str", "default": ["ansible_host", "private_address"]},
    "accepted": LIST,
    "remembered": {"type": "path"},
    "renamed": {"type": "dict", "default": {}},
}
