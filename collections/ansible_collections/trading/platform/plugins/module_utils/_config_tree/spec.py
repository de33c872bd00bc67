# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What config_tree accepts, and how the rendered set travels."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any


def argument_spec() -> dict[str, Any]:
    """The options, one truth for the action on the controller and the module on the host."""
    return {
        "name": {"type": "str", "required": True},
        "src": {"type": "str"},
        "dest": {"type": "str", "default": "/"},
        "content": {"type": "dict", "no_log": True},
        "exclude": {"type": "list", "elements": "str", "default": []},
        "modes": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "match": {"type": "str", "required": True},
                "owner": {"type": "str"},
                "group": {"type": "str"},
                "mode": {"type": "str"},
            },
        },
        "validate": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "match": {"type": "str", "required": True},
                "command": {"type": "str", "required": True},
            },
        },
        "validate_set": {"type": "list", "elements": "str", "default": []},
        # Names of files, not what is in them.
        "secret": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "prune": {"type": "bool", "default": True},
        "apply": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "match": {"type": "list", "elements": "str", "required": True},
                "command": {"type": "str", "required": True},
            },
        },
    }


def pack(content: dict[str, Any]) -> str:
    """One opaque string. Ansible cuts a no_log value out of every result that contains it, and this fits in none."""
    return base64.b64encode(zlib.compress(json.dumps(content).encode("utf-8"), 6)).decode("ascii")


def unpack(payload: str) -> dict[str, Any]:
    """The way back."""
    data = json.loads(zlib.decompress(base64.b64decode(payload)))
    if not isinstance(data, dict):
        raise ValueError("the payload is not a set of files")
    return data
