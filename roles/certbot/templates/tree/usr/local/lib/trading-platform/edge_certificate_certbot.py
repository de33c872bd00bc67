"""Asks the CA, by certbot, and says what is wrong where it gives nothing. Managed by Ansible (role certbot)."""

from __future__ import annotations

import configparser
import json
import re
import shutil
from pathlib import Path

from edge_certificate_due import Settings
from edge_certificate_host import run

CERTBOT = Path("/etc/letsencrypt")
LOG = Path("/var/log/letsencrypt/letsencrypt.log")
# Seconds for all of its work.
PATIENCE = 300


def command(wanted: Settings) -> list[str]:
    """--force-renewal, because what is due was decided already, and by more than certbot looks at."""
    account = ["--email", wanted.email] if wanted.email else ["--register-unsafely-without-email"]
    return [
        *("certbot", "certonly", "--non-interactive", "--agree-tos", "--no-eff-email", *account),
        *("--server", wanted.server, *wanted.challenge),
        *("--key-type", "ecdsa", "--elliptic-curve", "secp256r1", "--no-directory-hooks"),
        *("--force-renewal", "--renew-with-new-domains", "--cert-name", wanted.name),
        *(word for domain in wanted.domains for word in ("-d", domain)),
    ]


def complaint(output: str, log: str) -> str:
    """What is wrong: the CA's last word from certbot's log, else what certbot prints, less what it prints each time.

    The log, because for a refusal certbot 2.1 under Python 3.11 prints "AttributeError: can't set attribute".
    """
    refusals = re.findall(r"urn:ietf:params:acme:error:\w+ :: .*", log)
    if refusals:
        return str(refusals[-1]).strip()
    boring = re.compile(r"Saving debug log|Ask for help|See the logfile|^- - -|^$|^(Requesting|Renewing|Account reg)")
    lines = [line.strip() for line in output.splitlines()]
    return " ".join(line for line in lines if not boring.search(line))[-1500:] or "nothing"


def certbot(wanted: Settings) -> str:
    """Asks the CA. What is wrong, or nothing."""
    before = LOG.stat().st_size if LOG.exists() else 0
    code, output = run(*command(wanted), seconds=PATIENCE)
    if not code:
        return ""
    # The log is appended to; were it rotated meanwhile, all of it would be new.
    log = LOG.read_bytes() if LOG.exists() else b""
    return complaint(output, log[before if before <= len(log) else 0 :].decode(errors="replace"))


def ask(wanted: Settings) -> str:
    """What is wrong, or nothing. A CA that has lost our account, as a test CA does at a restart, gets a new one."""
    refused = certbot(wanted)
    if "accountDoesNotExist" in refused:
        for account in list((CERTBOT / "accounts").rglob("regr.json")):
            if json.loads(account.read_text()).get("uri", "").startswith(wanted.server.rsplit("/", 1)[0]):
                shutil.rmtree(account.parent)
        refused = certbot(wanted)
    return refused


def server(name: str) -> str:
    """Which CA the certificate at hand is from, by certbot's own note."""
    note = CERTBOT / "renewal" / f"{name}.conf"
    if not note.exists():
        return ""
    # certbot writes settings before the first section too.
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string("[top]\n" + note.read_text())
    return parser.get("renewalparams", "server", fallback="")
