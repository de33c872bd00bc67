# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host certificate should be, what openssl says it is, and what follows. No I/O."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

EXTENDED_USAGE = {"server": "serverAuth", "client": "clientAuth"}
_USAGE_OF_TEXT = {"TLS Web Server Authentication": "server", "TLS Web Client Authentication": "client"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_DNS = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*")
_COMMON_NAME = re.compile(r"[A-Za-z0-9 ._@*-]{1,64}")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_SECONDS_A_DAY = 86400


class PkiError(Exception):
    """Something that stops the work, told in words for the operator."""


@dataclass(frozen=True)
class Wanted:
    """One certificate as the inventory asks for it."""

    name: str
    common_name: str
    dns: frozenset[str]
    ip: frozenset[str]
    usages: frozenset[str]
    owner: str = "root"
    group: str = "root"
    key_mode: int = 0o640
    topic: str = ""


@dataclass(frozen=True)
class Found:
    """What a certificate on the host says of itself."""

    serial: str
    common_name: str
    not_after: datetime
    dns: frozenset[str]
    ip: frozenset[str]
    usages: frozenset[str]
    public_key: str


def parse_wanted(raw: dict[str, Any]) -> Wanted:
    """Check one entry of the certificates parameter."""
    name = str(raw["name"])
    if not _NAME.fullmatch(name):
        raise PkiError(f"certificate name {name!r}: use small letters, digits, _ and -, as it names a directory")
    where = f"certificate {name}"
    dns = frozenset(str(one).lower() for one in raw.get("dns") or [])
    for one in sorted(dns):
        if not _DNS.fullmatch(one):
            raise PkiError(f"{where}: dns entry {one!r} is not a host name; addresses belong under ip")
    common_name = raw.get("common_name") or name
    if not _COMMON_NAME.fullmatch(common_name):
        raise PkiError(f"{where}: common_name {common_name!r} must be 1 to 64 letters, digits, blanks or . _ @ * -")
    if not dns and not raw.get("ip"):
        raise PkiError(f"{where}: give at least one dns or ip entry; clients no longer look at the common name")
    return Wanted(
        name=name,
        common_name=common_name,
        dns=dns,
        ip=frozenset(_address(str(one), where) for one in raw.get("ip") or []),
        usages=frozenset(raw.get("usages") or EXTENDED_USAGE),
        owner=raw.get("owner") or "root",
        group=raw.get("group") or "root",
        key_mode=_mode(str(raw.get("key_mode") or "0640"), where),
        topic=raw.get("topic") or "",
    )


def parse_all(raw: list[dict[str, Any]]) -> list[Wanted]:
    """Check the whole list; a name may occur once."""
    wanted = [parse_wanted(one) for one in raw]
    names = [one.name for one in wanted]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PkiError(f"certificate {', '.join(twice)} is asked for twice: give each its own name")
    return wanted


def parse_x509(text: str) -> Found:
    """Read the output of openssl x509 -serial -subject -nameopt RFC2253 -enddate -ext ... -pubkey."""
    names = _extension(text, "X509v3 Subject Alternative Name")
    usages = _extension(text, "X509v3 Extended Key Usage")
    subject = _line(text, "subject=")
    common_name = next((part[3:] for part in subject.split(",") if part.startswith("CN=")), "")
    return Found(
        serial=_line(text, "serial="),
        common_name=common_name,
        not_after=parse_time(_line(text, "notAfter=")),
        dns=frozenset(one[4:].lower() for one in names if one.startswith("DNS:")),
        ip=frozenset(_normal_address(one[11:]) for one in names if one.startswith("IP Address:")),
        usages=frozenset(_USAGE_OF_TEXT.get(one, one) for one in usages),
        public_key=public_key_of(text),
    )


def parse_time(text: str) -> datetime:
    """Read openssl's "Nov  5 12:00:00 2026 GMT", whatever the locale."""
    found = re.fullmatch(r"([A-Z][a-z]{2}) +(\d+) (\d\d):(\d\d):(\d\d) (\d{4}) GMT", text.strip())
    if not found or found[1] not in _MONTHS:
        raise PkiError(f"openssl printed a time that can't be read: {text!r}")
    day, hour, minute, second, year = (int(found[place]) for place in range(2, 7))
    return datetime(year, _MONTHS.index(found[1]) + 1, day, hour, minute, second, tzinfo=timezone.utc)  # noqa: UP017


def public_key_of(text: str) -> str:
    """The PEM public key in openssl's output, without white space, so that two can be compared."""
    found = re.search(r"-----BEGIN PUBLIC KEY-----(.*?)-----END PUBLIC KEY-----", text, re.DOTALL)
    return "".join(found[1].split()) if found else ""


def reasons_to_renew(
    wanted: Wanted,
    found: Found | None,
    *,
    key: str,
    issued_by_ca: bool,
    now: datetime,
    renew_before_days: int,
) -> list[str]:
    """Why this certificate needs a new one; empty when it is good as it is."""
    if found is None:
        return ["there is none yet"]
    left = (found.not_after - now).total_seconds() / _SECONDS_A_DAY
    checks = [
        (found.public_key != key or not key, "its key does not belong to it"),
        (not issued_by_ca, "it is not issued by the present CA"),
        (found.common_name != wanted.common_name, f"its common name is {found.common_name}"),
        ((found.dns, found.ip) != (wanted.dns, wanted.ip), "the names it stands for differ"),
        (found.usages != wanted.usages, "its usages differ"),
        (left < renew_before_days, f"{max(int(left), 0)} days are left, renewal starts at {renew_before_days}"),
    ]
    return [reason for holds, reason in checks if holds]


def request_config(wanted: Wanted) -> str:
    """The openssl configuration that makes the signing request."""
    names = [f"DNS:{one}" for one in sorted(wanted.dns)] + [f"IP:{one}" for one in sorted(wanted.ip)]
    usages = [EXTENDED_USAGE[one] for one in sorted(wanted.usages)]
    return "\n".join(
        [
            "[req]",
            "prompt = no",
            "utf8 = yes",
            "distinguished_name = subject",
            "req_extensions = extensions",
            "[subject]",
            f"CN = {wanted.common_name}",
            "[extensions]",
            "basicConstraints = critical,CA:FALSE",
            "keyUsage = critical,digitalSignature",
            f"extendedKeyUsage = {','.join(usages)}",
            f"subjectAltName = {','.join(names)}",
            "",
        ]
    )


def split_pem(text: str) -> list[str]:
    """The certificates in a PEM text, one a piece, without what stands between them."""
    return [one.strip() + "\n" for one in _PEM.findall(text)]


def ca_lifetime(not_after: datetime, now: datetime, warn_days: int) -> str:
    """A warning when the CA has little time left; raises when it has none."""
    left = int((not_after - now).total_seconds() // _SECONDS_A_DAY)
    day = not_after.strftime("%Y-%m-%d")
    if left < 0:
        raise PkiError(
            f"the internal CA expired on {day}: run bin/secrets init ENV, which renews its certificate, "
            "then site.yml again"
        )
    if left < warn_days:
        return f"the internal CA expires on {day}, in {left} days: plan its renewal, see docs/secrets.md"
    return ""


def _extension(text: str, title: str) -> list[str]:
    found = re.search(re.escape(title) + r":[^\n]*\n\s+([^\n]+)", text)
    return [one.strip() for one in found[1].split(",")] if found else []


def _line(text: str, prefix: str) -> str:
    return next((line[len(prefix) :].strip() for line in text.splitlines() if line.startswith(prefix)), "")


def _normal_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return text.strip()


def _address(text: str, where: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise PkiError(f"{where}: ip entry {text!r} is not an address; host names belong under dns") from None


def _mode(text: str, where: str) -> int:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise PkiError(f'{where}: key_mode {text!r} is not a mode; write it like "0640"')
    mode = int(text, 8)
    if mode & 0o007:
        raise PkiError(f"{where}: key_mode {text} lets everybody read the key; 0640 is the widest allowed")
    return mode
