# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifiers. The fixed ones were made by PostgreSQL 15 and 17 themselves, or stand in RFC 7677."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.trading.platform.plugins.module_utils._postgres import scram

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
RFC = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)


def test_the_example_of_the_rfc() -> None:
    assert scram.verifier("pencil", SALT) == RFC
    assert scram.matches("pencil", RFC)


@pytest.mark.parametrize("stored", [None, "", "md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "pencil", RFC[:-4], RFC + "\n"])
def test_what_does_not_match(stored: str | None) -> None:
    assert not scram.matches("pencil", stored)


@pytest.mark.parametrize("other", ["Pencil", "pencil ", "", "péncil"])
def test_other_passwords(other: str) -> None:
    assert not scram.matches(other, RFC)


def test_the_stored_number_of_iterations_counts() -> None:
    assert scram.matches("x", scram.verifier("x", SALT, 10))


@pytest.mark.parametrize(
    ("password", "bytes_"),
    [
        ("plain ' \\ %s", b"plain ' \\ %s"),
        ("a\u00a0b", b"a b"),
        ("a\u00adb", b"ab"),
        ("\u2163", b"IV"),
        ("e\u0301", "é".encode()),
        # Refused by the rules, hence taken as it is.
        ("a\u0007é", "a\u0007é".encode()),
        ("\u0627b", "\u0627b".encode()),
        ("\u00ad", "\u00ad".encode()),
        ("\u0627\u0628", "\u0627\u0628".encode()),
    ],
)
def test_prepared(password: str, bytes_: bytes) -> None:
    assert scram.prepared(password) == bytes_
