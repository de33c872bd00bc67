# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By what nginx counts a client: the rendered map's own patterns, on the bytes of $binary_remote_addr."""

from __future__ import annotations

import random
import re
from ipaddress import IPv6Address, ip_address
from itertools import combinations
from pathlib import Path

import jinja2
import pytest

TEMPLATE = Path(__file__).resolve().parents[2] / "roles/nginx/templates/tree/etc/nginx/edge/client.conf.j2"
MAP = re.compile(r"^map \$binary_remote_addr \$edge_client \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
RULE = re.compile(r'^ +"~(.+)" \$(\w+);$', re.MULTILINE)


def rules() -> list[tuple[re.Pattern[bytes], str]]:
    """In their order, with the name of the group that is the key. Python writes that name in another way."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)  # noqa: S701 - no HTML
    given = {"ansible_managed": "", "__nginx_proxies": [], "__nginx_addresses": {}}
    text = environment.from_string(TEMPLATE.read_text()).render(given, nginx_admin_sources=[], nginx_admin_paths=[])
    found = MAP.search(text)
    assert found
    default, *lines = found[1].splitlines()
    assert default.split() == ["default", "$binary_remote_addr;"]
    read = [(re.compile(pattern.replace("(?<", "(?P<").encode()), key) for pattern, key in RULE.findall(found[1])]
    assert len(read) == len(lines), "a line of the map that this test does not know"
    return read


RULES = rules()


def key(address: str) -> bytes:
    packed = ip_address(address).packed
    return next((found[name] for pattern, name in RULES if (found := pattern.search(packed))), packed)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:a:b::1", "2001:db8:a:b:9:9:9:9", True),
        ("2001:db8:a:b::1", "2001:db8:a:c::1", False),
        # The network ends in a zero, which is written, or is part of what "::" leaves out.
        ("2001:db8:a::1", "2001:db8:a:0:1:2:3:4", True),
        ("2001:db8:a::1", "2001:db8:a:1::1", False),
        ("2001:db8::1", "2001:db8:0:0:1:2:3:4", True),
        # "::" stands within it: strangers begin alike.
        ("2001::7:1:2:3:4", "2001::8:1:2:3:4", False),
        ("2001::7:1:2:3:4", "2001:0:0:7::", True),
        # Two runs of zeros of one length, of which the first one is left out; and zeros alone.
        ("2001:db8:0:0:1:0:0:1", "2001:db8::9", True),
        ("2001:0:0:7:8:0:0:1", "2001:0:0:7::1", True),
        ("2001:0:a:0:b:0:c:0", "2001:0:a::1", True),
        ("2001:0:a:0:b:0:c:0", "2001:0:a:d::1", False),
        ("::", "::1:2:3:4", True),
        ("::1", "0:0:0:1::1", False),
        # Bytes that a pattern could take for an end of line or for its own.
        ("2001:a0a:a0a:a0a:a0a:a0a:a0a:a0a", "2001:a0a:a0a:a0a::a", True),
        ("2001:a0a:a0a:a0a::", "2001:a0a:a0a:a0d::", False),
        # An IPv4 client, as a proxy may say it.
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:10.10.10.10", "10.10.10.10", True),
        ("::fffe:192.0.2.1", "::1", True),
        # As text the network would be the address.
        ("312e:322e:332e:3435::1", "1.2.3.45", False),
    ],
)
def test_one_client_has_one_key(one: str, other: str, same: bool) -> None:
    assert (key(one) == key(other)) is same


def test_a_key_is_a_network() -> None:
    """Many addresses of few networks, with zeros and line ends wherever they can be."""
    chance = random.Random(64)  # noqa: S311  # no secret
    groups = (0, 0, 0, 1, 0x0A, 0x0A0A, 0xFF, 0xFFFF)
    addresses = [IPv6Address(b"".join(chance.choice(groups).to_bytes(2, "big") for _ in range(8))) for _ in range(700)]
    addresses += [IPv6Address(chance.getrandbits(128)) for _ in range(100)]
    plain = [one for one in addresses if not one.ipv4_mapped]
    assert len(plain) > len(addresses) / 2
    keys = [(key(one.compressed), one.packed[:8]) for one in plain]
    assert all((a == b) == (this == that) for (a, this), (b, that) in combinations(keys, 2))
