# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a host's signing request ask for what the inventory grants, and nothing more? No I/O."""

from __future__ import annotations

from typing import Any

from .certificates import EXTENDED_USAGE, parse_wanted

_USAGE_TEXTS = {
    "serverAuth": "TLS Web Server Authentication",
    "clientAuth": "TLS Web Client Authentication",
}
# key usage, alternative names, basic constraints, extended key usage
_KNOWN_EXTENSIONS = frozenset({"2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.37"})


def request_problems(info: dict[str, Any], raw_wanted: dict[str, Any]) -> list[str]:
    """Compare what community.crypto reads in a request with the entry of the inventory.

    The CA copies a request's extensions into the certificate. A host that somebody else owns could
    ask for another host's name, or for a CA's powers: so nothing is signed that was not granted.
    """
    wanted = parse_wanted(raw_wanted)
    names = sorted([f"DNS:{one}" for one in wanted.dns] + [f"IP:{one}" for one in wanted.ip])
    usages = sorted(_USAGE_TEXTS[EXTENDED_USAGE[one]] for one in wanted.usages)
    asked_names = sorted(info.get("subject_alt_name") or [])
    asked_usages = sorted(info.get("extended_key_usage") or [])
    extra = sorted(set(info.get("extensions_by_oid") or {}) - _KNOWN_EXTENSIONS)
    subject = dict(info.get("subject") or {})
    checks = [
        (not info.get("signature_valid"), "its signature is wrong"),
        (subject != {"commonName": wanted.common_name}, f"its subject is {subject}, granted is {wanted.common_name}"),
        (asked_names != names, f"it asks for the names {asked_names}, granted are {names}"),
        (asked_usages != usages, f"it asks for the usages {asked_usages}, granted are {usages}"),
        (list(info.get("basic_constraints") or []) != ["CA:FALSE"], "it asks for a CA's powers"),
        (list(info.get("key_usage") or []) != ["Digital Signature"], f"its key usage is {info.get('key_usage')}"),
        (bool(extra), f"it carries unknown extensions {extra}"),
    ]
    return [problem for holds, problem in checks if holds]
