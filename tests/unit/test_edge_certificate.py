# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the CA is asked, how, and what is said of its answer."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from program import imported

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles/certbot"
imported(ROLE / "templates/tree/usr/local/lib/trading-platform/edge_certificate.py")
rules: Any = sys.modules["edge_certificate_due"]
certbot: Any = sys.modules["edge_certificate_certbot"]
metrics: Any = sys.modules["edge_certificate_metrics"]
nginx: Any = sys.modules["edge_certificate_nginx"]
host: Any = sys.modules["edge_certificate_host"]
CA = "https://ca.test/dir"
WANTED = rules.Settings(["a.test", "b.test"], CA, "", ["--webroot", "-w", "/w"], "/tls/a.test", "/m.prom")
BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
HELD = rules.Certificate("0A", frozenset(WANTED.domains), BEGINS, BEGINS + timedelta(days=90))


def test_what_openssl_tells() -> None:
    said = (
        "serial=5A1F\nnotBefore=2026-01-01 00:00:00Z\nnotAfter=2026-04-01 00:00:00Z\n"
        "X509v3 Subject Alternative Name: \n    DNS:a.test, DNS:b.test\n"
    )
    assert rules.parsed(said) == replace(HELD, serial="5A1F")


@pytest.mark.parametrize(
    ("held", "server", "day", "force", "reason"),
    [
        (None, "", 1, False, "there is none yet"),
        (HELD, CA, 59, False, ""),
        # A third of its life.
        (HELD, CA, 61, False, "it ends at 2026-04-01 00:00 UTC"),
        (replace(HELD, ends=BEGINS + timedelta(days=6)), CA, 3, False, ""),
        (replace(HELD, ends=BEGINS + timedelta(days=6)), CA, 5, False, "it ends at 2026-01-07 00:00 UTC"),
        (replace(HELD, names=frozenset({"a.test"})), CA, 1, False, "it is for a.test, not for a.test, b.test"),
        # From staging to the real one.
        (HELD, "https://staging.test/dir", 1, False, f"it is from https://staging.test/dir, not from {CA}"),
        (HELD, CA, 1, True, "a new one was asked for"),
    ],
)
def test_due(held: Any, server: str, day: int, force: bool, reason: str) -> None:
    assert rules.due(held, server, WANTED, BEGINS + timedelta(days=day), force=force) == reason


@pytest.mark.parametrize(
    ("email", "account"), [("", ["--register-unsafely-without-email"]), ("x@a.test", ["--email", "x@a.test"])]
)
def test_command(email: str, account: list[str]) -> None:
    words = certbot.command(replace(WANTED, email=email))
    text = " ".join(words)
    assert " ".join(account) in text
    assert f"--server {CA} --webroot -w /w" in text
    assert text.endswith("--cert-name a.test -d a.test -d b.test")
    # Its hook would wait for the lock that the caller holds.
    assert "--no-directory-hooks" in words


def templated(text: str, **given: Any) -> str:
    """By the role's defaults and vars, as Ansible does it."""
    loader = DataLoader()
    variables: dict[str, Any] = {"certbot_domains": ["a.test", "*.a.test"], "certbot_server": CA}
    for place in ("defaults", "vars"):
        said = loader.load_from_file(str(ROLE / place / "main.yml"), trusted_as_template=True)
        variables = {**said, **variables}
    return str(Templar(loader, variables=variables | given).template(trust_as_template(text)))


def landed(name: str, **given: Any) -> str:
    return templated((ROLE / f"templates/tree/etc/trading-platform/certbot/{name}.j2").read_text(), **given)


TOKEN = [{"name": "dns_cloudflare_api_token", "value": "secret"}]


@pytest.mark.parametrize(
    ("given", "words", "package"),
    [
        ({}, "--webroot --webroot-path /var/lib/trading-platform/acme", ""),
        # What is set for later does not matter yet.
        ({"certbot_dns_credentials": TOKEN}, "--webroot --webroot-path /var/lib/trading-platform/acme", ""),
        (
            {"certbot_challenge": "dns-01", "certbot_dns_credentials": TOKEN},
            "--authenticator dns-cloudflare --dns-cloudflare-propagation-seconds 30"
            " --dns-cloudflare-credentials /etc/trading-platform/certbot/dns.ini",
            "python3-certbot-dns-cloudflare",
        ),
        (
            {"certbot_challenge": "dns-01", "certbot_dns_plugin": "rfc2136", "certbot_dns_propagation": 5},
            "--authenticator dns-rfc2136 --dns-rfc2136-propagation-seconds 5",
            "python3-certbot-dns-rfc2136",
        ),
        # certbot 4 ends with "unrecognized arguments" where it is told how long.
        (
            {"certbot_challenge": "dns-01", "certbot_dns_plugin": "route53"},
            "--authenticator dns-route53",
            "python3-certbot-dns-route53",
        ),
    ],
)
def test_challenge(given: dict[str, Any], words: str, package: str) -> None:
    wanted = rules.Settings(**json.loads(landed("settings.json", **given)))
    asked = " ".join(certbot.command(wanted))
    assert f" --server {CA} {words} --key-type " in asked
    assert asked.endswith(" -d a.test -d *.a.test")
    assert "secret" not in asked
    assert templated("{{ __certbot_plugin_packages | join }}", **given) == package


def test_credentials_of_the_plugin() -> None:
    assert landed("dns.ini", certbot_dns_credentials=TOKEN).strip() == "dns_cloudflare_api_token = secret"


def test_complaint() -> None:
    output = (
        "Saving debug log to /var/log/letsencrypt/letsencrypt.log\nRenewing an existing certificate for a.test\n"
        "An unexpected error occurred:\nConnection refused\n\nAsk for help or search for solutions at https://x. See"
        " the logfile /var/log/x for more details.\n"
    )
    assert certbot.complaint(output, "") == "An unexpected error occurred: Connection refused"
    assert certbot.complaint("", "") == "nothing"
    refused = "urn:ietf:params:acme:error:badNonce :: The nonce is bad"
    log = f"Error: urn:ietf:params:acme:error:malformed :: x\nError: {refused}\nAttributeError\n"
    assert certbot.complaint(output, log) == refused


@pytest.mark.parametrize(("success", "lines"), [(None, 1), (7.9, 2)])
def test_exposition(success: float | None, lines: int) -> None:
    text = metrics.exposition("a.test", 1e9, success)
    values = [line for line in text.splitlines() if not line.startswith("#")]
    assert values[0] == 'trading_certificate_not_after_timestamp_seconds{domain="a.test"} 1000000000'
    assert len(values) == lines


@pytest.mark.parametrize("before", ["", ".a.test.09"])
def test_a_certificate_that_nginx_refuses_is_taken_back(
    before: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nginx, "CERTBOT", tmp_path)
    monkeypatch.setattr(nginx, "load", lambda path: HELD if path.exists() else None)
    monkeypatch.setattr(nginx, "run", lambda *words: (1, "no such directive"))
    edge = nginx.Edge(replace(WANTED, directory=str(tmp_path / "a.test")))
    edge.live.mkdir(parents=True)
    for name in ("fullchain.pem", "privkey.pem"):
        (edge.live / name).touch()
    if before:
        edge.link.symlink_to(before)
    with pytest.raises(host.Trouble, match="taken back"):
        edge.deploy()
    assert (str(edge.link.readlink()) if edge.link.is_symlink() else "") == before


def test_what_a_client_gets_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = tmp_path / "cert.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-keyout", "/dev/null", "-out", str(pem), "-subj", "/CN=Some CA", "-addext", "subjectAltName=DNS:a.test"]
    assert host.run(*words, "-set_serial", "0x5A1F", "-days", "90")[0] == 0
    monkeypatch.setattr(nginx, "served", lambda name: nginx.leaf(pem))
    assert re.fullmatch(
        r"a certificate for a.test by CN ?= ?Some CA, serial 5A1F, until \d{4}-\d\d-\d\d \d\d:\d\d UTC",
        nginx.told("a.test"),
    )
    monkeypatch.setattr(nginx, "served", lambda name: b"")
    with pytest.raises(host.Trouble, match=r"Nobody serves a certificate for a\.test"):
        nginx.told("a.test")
