# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Kibana encrypts with. Pure."""

from __future__ import annotations

from collections.abc import Mapping

SHORTEST = 32


def checked(keys: Mapping[str, str]) -> dict[str, str]:
    """The same, refused where Kibana would not start, or one leaked key would open two doors. No message has a key."""
    for name, value in keys.items():
        if len(value) < SHORTEST:
            raise ValueError(f"{name} has {len(value)} characters, and Kibana wants {SHORTEST}. bin/secrets makes one.")
    names = list(keys)
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            if keys[name] == keys[other]:
                raise ValueError(f"{name} and {other} are the same. Give each its own: bin/secrets makes one.")
    return dict(keys)
