# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SCRAM-SHA-256 verifiers as PostgreSQL stores them, so that a password itself never travels in SQL."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import stringprep
import unicodedata

ITERATIONS = 4096
SALT_BYTES = 16
_STORED = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
_PROHIBITED = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def prepared(password: str) -> bytes:
    """SASLprep as PostgreSQL does it: what the rules refuse is taken as it is."""
    raw = password.encode()
    if password.isascii():
        return raw
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char)
    )
    text = unicodedata.normalize("NFKC", mapped)
    if not text or any(refuses(char) for char in text for refuses in _PROHIBITED):
        return raw
    right_to_left = [stringprep.in_table_d1(char) for char in text]
    if any(right_to_left) and (
        any(stringprep.in_table_d2(char) for char in text) or not (right_to_left[0] and right_to_left[-1])
    ):
        return raw
    return text.encode()


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """The string for ALTER ROLE ... PASSWORD."""
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    fields = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${iterations}:{fields[0]}${fields[1]}:{fields[2]}"


def matches(password: str, stored: str | None) -> bool:
    """Whether the stored verifier was made from the password."""
    match = _STORED.fullmatch(stored or "")
    if not match:
        return False
    again = verifier(password, base64.b64decode(match[2]), int(match[1]))
    return hmac.compare_digest(again, match[0])
