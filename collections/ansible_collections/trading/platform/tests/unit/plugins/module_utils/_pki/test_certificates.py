# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate should be, what openssl says, what follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._pki.certificates import (
    Found,
    PkiError,
    ca_lifetime,
    parse_all,
    parse_time,
    parse_wanted,
    parse_x509,
    reasons_to_renew,
    request_config,
    split_pem,
)
from ansible_collections.trading.platform.plugins.module_utils._pki.requests import request_problems

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
ENTRY: dict[str, Any] = {"name": "web", "dns": ["web.example.com", "lb1"], "ip": ["10.0.0.1", "fd00:0:0::1"]}
OUTPUT = """\
serial=47896AEA8A0B
subject=CN=web
notAfter=Feb  9 01:50:50 2027 GMT
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
aaaa==
-----END PUBLIC KEY-----
X509v3 Extended Key Usage:{blank}
    TLS Web Client Authentication, TLS Web Server Authentication
X509v3 Subject Alternative Name:{blank}
    DNS:LB1, DNS:web.example.com, IP Address:10.0.0.1, IP Address:FD00:0:0:0:0:0:0:1
""".replace("{blank}", " ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Feb  9 01:50:50 2027 GMT", datetime(2027, 2, 9, 1, 50, 50, tzinfo=UTC)),
        ("Dec 31 23:59:59 2049 GMT\n", datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_parse_time(text: str, expected: datetime) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize("text", ["", "Févr 9 01:50:50 2027 GMT", "Feb 9 01:50:50 2027", "2027-02-09"])
def test_parse_time_refuses(text: str) -> None:
    with pytest.raises(PkiError, match="can't be read"):
        parse_time(text)


def test_parse_x509() -> None:
    found = parse_x509(OUTPUT)
    assert (found.serial, found.common_name) == ("47896AEA8A0B", "web")
    assert found.dns == {"lb1", "web.example.com"}
    assert found.ip == {"10.0.0.1", "fd00::1"}
    assert found.usages == {"server", "client"}
    assert found.public_key == "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaaaa=="


def test_parse_x509_without_extensions() -> None:
    found = parse_x509("serial=1\nsubject=O=x\nnotAfter=Feb  9 01:50:50 2027 GMT\nNo extensions in certificate\n")
    assert not any((found.dns, found.ip, found.usages, found.public_key, found.common_name))


GOOD = replace(parse_x509(OUTPUT), not_after=NOW + timedelta(days=60))


@pytest.mark.parametrize(
    ("found", "key", "by_ca", "threshold", "expected"),
    [
        (GOOD, GOOD.public_key, True, 30, []),
        (GOOD, GOOD.public_key, True, 60, []),
        (GOOD, GOOD.public_key, True, 61, ["60 days are left, renewal starts at 61"]),
        (None, "", False, 30, ["there is none yet"]),
        (GOOD, "other", True, 30, ["its key does not belong to it"]),
        (replace(GOOD, public_key=""), "", True, 30, ["its key does not belong to it"]),
        (GOOD, GOOD.public_key, False, 30, ["it is not issued by the present CA"]),
        (replace(GOOD, dns=frozenset({"lb1"})), GOOD.public_key, True, 30, ["the names it stands for differ"]),
        (replace(GOOD, ip=frozenset()), GOOD.public_key, True, 30, ["the names it stands for differ"]),
        (replace(GOOD, usages=frozenset({"server"})), GOOD.public_key, True, 30, ["its usages differ"]),
        (replace(GOOD, common_name="old"), GOOD.public_key, True, 30, ["its common name is old"]),
        (
            replace(GOOD, not_after=NOW - timedelta(days=3)),
            GOOD.public_key,
            True,
            0,
            ["0 days are left, renewal starts at 0"],
        ),
    ],
)
def test_reasons_to_renew(found: Found | None, key: str, by_ca: bool, threshold: int, expected: list[str]) -> None:
    wanted = parse_wanted(ENTRY)
    reasons = reasons_to_renew(wanted, found, key=key, issued_by_ca=by_ca, now=NOW, renew_before_days=threshold)
    assert reasons == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "../etc"}, "names a directory"),
        ({"name": ""}, "names a directory"),
        ({"dns": ["a b"]}, "is not a host name"),
        ({"dns": ["evil,DNS:other"]}, "is not a host name"),
        ({"dns": ["two\nlines"]}, "is not a host name"),
        ({"ip": ["db1"]}, "is not an address"),
        ({"common_name": "x" * 65}, "1 to 64"),
        ({"common_name": "x\n[req]"}, "1 to 64"),
        ({"dns": [], "ip": []}, "at least one dns or ip"),
        ({"key_mode": "0644"}, "lets everybody read"),
        ({"key_mode": "rw"}, "is not a mode"),
    ],
)
def test_parse_wanted_refuses(change: dict[str, Any], message: str) -> None:
    with pytest.raises(PkiError, match=message):
        parse_wanted({**ENTRY, **change})


def test_a_name_may_occur_once() -> None:
    with pytest.raises(PkiError, match="certificate web is asked for twice"):
        parse_all([ENTRY, ENTRY])


def test_request_config() -> None:
    text = request_config(parse_wanted({**ENTRY, "usages": ["server"]}))
    assert "CN = web\n" in text
    assert "subjectAltName = DNS:lb1,DNS:web.example.com,IP:10.0.0.1,IP:fd00::1\n" in text
    assert "extendedKeyUsage = serverAuth\n" in text


ONE = "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----"


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("nothing", 0), (ONE, 1), (f"# a\n{ONE}\n\n# b\n{ONE}\n", 2), (ONE[:-5], 0)]
)
def test_split_pem(text: str, count: int) -> None:
    assert split_pem(text) == [ONE + "\n"] * count


@pytest.mark.parametrize(("days", "warns"), [(366, False), (365, False), (364, True), (0, True)])
def test_ca_lifetime(days: int, warns: bool) -> None:
    assert bool(ca_lifetime(NOW + timedelta(days=days, hours=1), NOW, 365)) is warns


def test_ca_lifetime_refuses_an_expired_one() -> None:
    with pytest.raises(PkiError, match="expired on 2026-11-20: run bin/secrets init"):
        ca_lifetime(NOW - timedelta(days=1), NOW, 365)


REQUEST: dict[str, Any] = {
    "signature_valid": True,
    "subject": {"commonName": "web"},
    "subject_alt_name": ["DNS:lb1", "DNS:web.example.com", "IP:10.0.0.1", "IP:fd00::1"],
    "extended_key_usage": ["TLS Web Server Authentication", "TLS Web Client Authentication"],
    "key_usage": ["Digital Signature"],
    "basic_constraints": ["CA:FALSE"],
    "extensions_by_oid": {"2.5.29.17": {}, "2.5.29.15": {}},
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"signature_valid": False}, "signature"),
        ({"subject": {"commonName": "db1"}}, "subject"),
        ({"subject": {"commonName": "web", "organizationName": "x"}}, "subject"),
        ({"subject_alt_name": ["DNS:db1"]}, "names"),
        ({"subject_alt_name": [*REQUEST["subject_alt_name"], "DNS:db1"]}, "names"),
        ({"subject_alt_name": None}, "names"),
        ({"extended_key_usage": ["Code Signing"]}, "usages"),
        ({"basic_constraints": ["CA:TRUE"]}, "CA's powers"),
        ({"basic_constraints": None}, "CA's powers"),
        ({"key_usage": ["Certificate Sign"]}, "key usage"),
        ({"extensions_by_oid": {"2.5.29.30": {}}}, "unknown extensions"),
    ],
)
def test_request_problems(change: dict[str, Any], problem: str | None) -> None:
    problems = request_problems({**REQUEST, **change}, ENTRY)
    assert len(problems) == (problem is not None)
    assert problem is None or problem in problems[0]
