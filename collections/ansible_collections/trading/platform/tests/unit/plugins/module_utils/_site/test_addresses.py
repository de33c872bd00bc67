# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._site.addresses import addresses

HOSTS = {
    "db1": {"ansible_host": "192.0.2.1"},
    "db2": {"ansible_host": "db2.example", "private_address": "10.0.0.2"},
    "db3": {"ansible_host": ""},
}


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([], {}),
        (["db1"], {"db1": "192.0.2.1"}),
        (["db2", "db1"], {"db2": "10.0.0.2", "db1": "192.0.2.1"}),
    ],
)
def test_addresses(hosts: list[str], expected: dict[str, str]) -> None:
    assert list(addresses(hosts, HOSTS).items()) == list(expected.items())


@pytest.mark.parametrize(("host", "message"), [("db9", "db9 is not in the inventory"), ("db3", "db3 has no address")])
def test_refusals(host: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        addresses([host], HOSTS)
