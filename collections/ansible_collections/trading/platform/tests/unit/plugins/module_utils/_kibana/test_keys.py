# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that Kibana would not start with."""

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._kibana.keys import checked

GOOD = {"session": "a" * 32, "objects": "b" * 40}


def test_good_keys() -> None:
    assert checked(GOOD) == GOOD


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"session": "c4n4ry"}, "session has 6 characters, and Kibana wants 32"),
        ({**GOOD, "reports": "a" * 32}, "session and reports are the same"),
    ],
)
def test_bad_keys(keys: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message) as said:
        checked(keys)
    assert not any(key in str(said.value) for key in keys.values())
