"""What is wanted and held, and whether a new one is due; nothing is read here. Managed by Ansible (role certbot)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

# With this much of its life left a certificate is renewed, as Let's Encrypt advises: 30 days of 90.
LEFT = 1 / 3


@dataclass(frozen=True)
class Settings:
    """What the role decides. directory is the link that nginx follows."""

    domains: list[str]
    server: str
    email: str
    challenge: list[str]
    directory: str
    metrics: str

    @property
    def name(self) -> str:
        """certbot's for the certificate."""
        return self.domains[0]


@dataclass(frozen=True)
class Certificate:
    """What openssl tells of one."""

    serial: str
    names: frozenset[str]
    begins: datetime
    ends: datetime

    @property
    def until(self) -> str:
        return f"{self.ends:%Y-%m-%d %H:%M} UTC"


def parsed(text: str) -> Certificate:
    """From `openssl x509 -serial -startdate -enddate -dateopt iso_8601 -ext subjectAltName`."""
    fields = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"\w+=", line))

    def moment(field: str) -> datetime:
        return datetime.strptime(fields[field], "%Y-%m-%d %H:%M:%SZ").replace(tzinfo=UTC)

    return Certificate(
        fields["serial"], frozenset(re.findall(r"DNS:([^,\s]+)", text)), moment("notBefore"), moment("notAfter")
    )


def due(held: Certificate | None, server: str, wanted: Settings, now: datetime, *, force: bool) -> str:
    """Why the CA has to be asked; empty where it has not."""
    if held is None:
        return "there is none yet"
    if held.names != set(wanted.domains):
        return f"it is for {', '.join(sorted(held.names))}, not for {', '.join(wanted.domains)}"
    if server != wanted.server:
        return f"it is from {server or 'another CA'}, not from {wanted.server}"
    if held.ends - now < (held.ends - held.begins) * LEFT:
        return f"it ends at {held.until}"
    return "a new one was asked for" if force else ""
