#!/usr/bin/python3 -I
"""This load balancer's certificate from an ACME CA. Managed by Ansible (role certbot); standard library only.

keep [--force] [--check]   asks the CA where one is due, lands it, has nginx serve it; for the timer and the role
deploy                     lands what certbot holds and has nginx serve it; for certbot's own deploy hook
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import fcntl
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SETTINGS = Path("/etc/trading-platform/certbot/settings.json")
CERTBOT = Path("/etc/letsencrypt")
LOG = Path("/var/log/letsencrypt/letsencrypt.log")
SUCCESS = Path("/var/lib/trading-platform/certbot/success")
LOCK = Path("/run/trading-certificate.lock")
# Seconds: for all of certbot's work, and for nginx to serve what it was given.
PATIENCE, SERVED_WITHIN = 300, 15
# With this much of its life left a certificate is renewed, as Let's Encrypt advises: 30 days of 90.
LEFT = 1 / 3


class Trouble(Exception):  # noqa: N818 - it is one, and reads as one
    """What a person has to read, with what to do next."""


# ----- pure


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


def exposition(name: str, ends: float, success: float | None) -> str:
    """For node-exporter's textfile collector."""
    text = (
        "# HELP trading_certificate_not_after_timestamp_seconds When the certificate that nginx is given ends.\n"
        "# TYPE trading_certificate_not_after_timestamp_seconds gauge\n"
        f'trading_certificate_not_after_timestamp_seconds{{domain="{name}"}} {ends:.0f}\n'
    )
    if success is None:
        return text
    return text + (
        "# HELP trading_certificate_last_success_timestamp_seconds When it was last seen to be as it should be.\n"
        "# TYPE trading_certificate_last_success_timestamp_seconds gauge\n"
        f'trading_certificate_last_success_timestamp_seconds{{domain="{name}"}} {success:.0f}\n'
    )


# ----- the host


def run(*words: str, seconds: int = 30) -> tuple[int, str]:
    try:
        done = subprocess.run(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return 124, f"no end after {seconds} s"
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout


def certbot(wanted: Settings) -> str:
    """Asks the CA. What is wrong, or nothing."""
    before = LOG.stat().st_size if LOG.exists() else 0
    code, output = run(*command(wanted), seconds=PATIENCE)
    if not code:
        return ""
    # The log is appended to; were it rotated meanwhile, all of it would be new.
    log = LOG.read_bytes() if LOG.exists() else b""
    return complaint(output, log[before if before <= len(log) else 0 :].decode(errors="replace"))


def load(path: Path) -> Certificate | None:
    if not path.exists():
        return None
    asked = ("-serial", "-startdate", "-enddate", "-dateopt", "iso_8601", "-ext", "subjectAltName")
    code, said = run("openssl", "x509", "-in", str(path), "-noout", *asked)
    if code:
        raise Trouble(f"{path} is no certificate that openssl can read: {said.strip()}")
    return parsed(said)


def leaf(path: Path) -> bytes:
    """The certificate itself, without its chain. Empty where there is none."""
    if not path.exists():
        return b""
    end = "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(path.read_text().partition(end)[0] + end)


def served(name: str) -> bytes:
    """What a client gets that asks this host for the domain. Empty where nobody answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", 443), timeout=3) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            return secure.getpeercert(binary_form=True) or b""
    except OSError:
        return b""


class Edge:
    """certbot's files on one side, nginx's on the other."""

    def __init__(self, wanted: Settings) -> None:
        self.wanted = wanted
        self.live = CERTBOT / "live" / wanted.name
        self.link = Path(wanted.directory)

    def server(self) -> str:
        """Which CA the certificate at hand is from, by certbot's own note."""
        note = CERTBOT / "renewal" / f"{self.wanted.name}.conf"
        if not note.exists():
            return ""
        # certbot writes settings before the first section too.
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read_string("[top]\n" + note.read_text())
        return parser.get("renewalparams", "server", fallback="")

    def in_force(self) -> str:
        """For a person who reads that something failed."""
        now = load(self.link / "fullchain.pem")
        if now is None:
            return "nginx has no certificate at all"
        kind = "" if (self.live / "fullchain.pem").exists() else "the placeholder, which browsers refuse, "
        return f"nginx goes on with {kind}serial {now.serial}, until {now.until}"

    def ask(self) -> None:
        """A CA that has lost our account, as a test CA does at a restart, gets a new one. All else is for a person."""
        refused = certbot(self.wanted)
        if "accountDoesNotExist" in refused:
            for account in list((CERTBOT / "accounts").rglob("regr.json")):
                if json.loads(account.read_text()).get("uri", "").startswith(self.wanted.server.rsplit("/", 1)[0]):
                    shutil.rmtree(account.parent)
            refused = certbot(self.wanted)
        if refused:
            raise Trouble(
                f"The CA {self.wanted.server} gave no certificate for {', '.join(self.wanted.domains)}: {refused}"
                f" Nothing was changed: {self.in_force()}. The whole story is in {LOG};"
                " trading-certificate.timer tries again within 12 hours, playbooks/renew_certificates.yml does at once."
            )

    def point(self, target: str) -> None:
        """Key and chain change in one step, because both are behind one link."""
        if self.link.is_dir() and not self.link.is_symlink():
            raise Trouble(f"{self.link} is a directory and has to be a link: move it away and run again.")
        beside = self.link.with_name(f".{self.link.name}.new")
        beside.unlink(missing_ok=True)
        beside.symlink_to(target)
        beside.replace(self.link)

    def deploy(self) -> None:
        """certbot's certificate becomes the one that is served, and is seen to be."""
        new = load(self.live / "fullchain.pem")
        if new is None:
            raise Trouble(f"certbot has no certificate in {self.live}.")
        home = self.link.with_name(f".{self.link.name}.{new.serial}")
        before = str(self.link.readlink()) if self.link.is_symlink() else ""
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, source in {"fullchain.pem": "fullchain.pem", "key.pem": "privkey.pem"}.items():
            place(home / name, (self.live / source).read_text(), 0o600)
        self.point(home.name)
        code, output = run("nginx", "-t", "-q")
        if code:
            if before:
                self.point(before)
            raise Trouble(
                f"nginx refuses its configuration with the new certificate, so it was taken back: {output.strip()}."
                f" {self.in_force()}."
            )
        code, output = run("systemctl", "reload", "nginx.service", seconds=60)
        until = time.monotonic() + SERVED_WITHIN
        while served(self.wanted.name) != leaf(home / "fullchain.pem"):
            if code or time.monotonic() > until:
                raise Trouble(
                    f"The new certificate of {self.wanted.name}, serial {new.serial}, lies in {self.link}, but"
                    f" nginx does not serve it: {output.strip() or f'another one is served after {SERVED_WITHIN} s'}."
                    " Look at `systemctl status nginx`, then run again."
                )
            time.sleep(0.2)
        keep = {self.link.name, home.name, before}
        for old in self.link.parent.glob(f".{self.link.name}.*"):
            if old.name not in keep:
                shutil.rmtree(old)

    def keep(self, *, force: bool, check: bool) -> str:
        """What was done, or with check what would be."""
        held = load(self.live / "fullchain.pem")
        reason = due(held, self.server(), self.wanted, datetime.now(UTC), force=force)
        if not reason and served(self.wanted.name) == leaf(self.live / "fullchain.pem"):
            return ""
        if check:
            would = f"ask {self.wanted.server}, because {reason}" if reason else "reload nginx"
            return f"changed: would {would}"
        if reason:
            self.ask()
        self.deploy()
        now = load(self.link / "fullchain.pem")
        return f"changed: nginx serves serial {now.serial if now else '?'} until {now.until if now else '?'}" + (
            f"; a new one, because {reason}" if reason else "; certbot had it already"
        )

    def tell(self) -> None:
        """The metric. Also where there is no exporter yet."""
        now = load(self.link / "fullchain.pem")
        success = SUCCESS.stat().st_mtime if SUCCESS.exists() else None
        text = exposition(self.wanted.name, now.ends.timestamp() if now else 0, success)
        Path(self.wanted.metrics).parent.mkdir(parents=True, exist_ok=True)
        place(Path(self.wanted.metrics), text, 0o644)


def place(path: Path, text: str, mode: int) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
    beside.replace(path)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """The timer and a run at the same time: the second waits and finds nothing to do."""
    with LOCK.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["keep", "deploy"])
    parser.add_argument("--force", action="store_true", help="ask for a new certificate although none is due")
    parser.add_argument("--check", action="store_true", help="only say what would be done")
    given = parser.parse_args(arguments)
    edge = Edge(Settings(**json.loads(SETTINGS.read_text())))
    if given.check:
        sys.stdout.write(edge.keep(force=given.force, check=True))
        return 0
    with locked():
        try:
            if given.what == "deploy":
                edge.deploy()
            else:
                sys.stdout.write(edge.keep(force=given.force, check=False))
            SUCCESS.parent.mkdir(parents=True, exist_ok=True)
            SUCCESS.touch()
        finally:
            edge.tell()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Trouble, OSError) as trouble:
        sys.exit(f"edge_certificate: {trouble}")
