"""Has nginx serve what certbot holds, and sees that it does. Managed by Ansible (role certbot)."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import time
from pathlib import Path

from edge_certificate_certbot import CERTBOT
from edge_certificate_due import Certificate, Settings, parsed
from edge_certificate_host import Trouble, place, run

# Seconds for nginx to serve what it was given.
SERVED_WITHIN = 15
ASKED = ("-serial", "-startdate", "-enddate", "-dateopt", "iso_8601", "-ext", "subjectAltName")


def load(path: Path) -> Certificate | None:
    if not path.exists():
        return None
    code, said = run("openssl", "x509", "-in", str(path), "-noout", *ASKED)
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


def told(name: str) -> str:
    """What a browser would show of it."""
    seen = served(name)
    if not seen:
        raise Trouble(f"Nobody serves a certificate for {name} on port 443. Look at `systemctl status nginx`.")
    code, said = run("openssl", "x509", "-noout", "-issuer", *ASKED, given=ssl.DER_cert_to_PEM_cert(seen))
    if code:
        raise Trouble(f"openssl cannot read the certificate that is served for {name}: {said.strip()}")
    now, issuer = parsed(said), re.search(r"^issuer=\s*(.*)$", said, re.M)
    return f"a certificate for {name} by {issuer[1] if issuer else '?'}, serial {now.serial}, until {now.until}"


class Edge:
    """certbot's files on one side, nginx's on the other."""

    def __init__(self, wanted: Settings) -> None:
        self.wanted = wanted
        self.live = CERTBOT / "live" / wanted.name
        self.link = Path(wanted.directory)

    def in_force(self) -> str:
        """For a person who reads that something failed."""
        now = load(self.link / "fullchain.pem")
        if now is None:
            return "nginx has no certificate at all"
        kind = "" if (self.live / "fullchain.pem").exists() else "the placeholder, which browsers refuse, "
        return f"nginx goes on with {kind}serial {now.serial}, until {now.until}"

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
            else:
                self.link.unlink()
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
