# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates' directory on a host.

DIRECTORY/ca.pem                       the CAs that clients trust
DIRECTORY/NAME/{key,cert,fullchain,ca}.pem   links through .live, which names one complete set
DIRECTORY/NAME/.set-SERIAL/            key and certificates that belong together
DIRECTORY/NAME/.next/                  the key of a request that is under way
DIRECTORY/.untold.json                 topics whose services were not told of a change yet

A new set goes live by renaming one link. Whoever reads the directory, at whatever moment the work was
killed, finds a key and a certificate that belong together.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from . import openssl
from .certificates import Found, PkiError, Wanted, reasons_to_renew, split_pem

FILES = ("key.pem", "cert.pem", "fullchain.pem", "ca.pem")
TRUST_PREFIX = "trading-platform-"
_TRUST_SOURCE = Path("/usr/local/share/ca-certificates")
_TRUST_LINKS = Path("/etc/ssl/certs")


@dataclass
class Look:
    """One certificate, looked at."""

    wanted: Wanted
    found: Found | None
    reasons: list[str]


class Store:
    """Reads and changes the directory. Each method that changes says whether it did, and only says so in check mode."""

    def __init__(self, directory: str, ca: str, also_trusted: str, check: bool) -> None:
        self.base = Path(directory)
        self.check = check
        self.ca = "".join(split_pem(ca))
        self.bundle = "".join([self.ca, *split_pem(also_trusted)])
        if not self.ca:
            raise PkiError("pki_ca_certificate holds no PEM certificate: run bin/secrets init ENV on the controller")

    def look(self, wanted: Wanted, renew_before_days: int) -> Look:
        """Read the live set and say what is wrong with it."""
        cert = self.base / wanted.name / ".live" / "cert.pem"
        found = openssl.read_certificate(_read(cert)) if cert.is_file() else None
        reasons = reasons_to_renew(
            wanted,
            found,
            key=openssl.public_key(str(cert.with_name("key.pem"))) if found else "",
            issued_by_ca=bool(found) and openssl.issued_by(str(cert), self.ca),
            now=datetime.now(timezone.utc),  # noqa: UP017
            renew_before_days=renew_before_days,
        )
        return Look(wanted, found, reasons)

    def prepare(self) -> bool:
        """Directory and ca.pem."""
        made = self._directory(self.base)
        return self._write(self.base / "ca.pem", self.bundle, 0o644) or made

    def request(self, wanted: Wanted) -> str:
        """Make the next key where there is none, and a request for it."""
        home = self.base / wanted.name
        self._directory(home)
        self._directory(home / ".next")
        key = home / ".next" / "key.pem"
        if not openssl.public_key(str(key)):
            self._write(key, openssl.new_key(), 0o600)
        return openssl.request(str(key), wanted)

    def land(self, wanted: Wanted, pem: str) -> None:
        """Check a signed certificate and make it live together with its key."""
        home = self.base / wanted.name
        following = home / ".next"
        leaf = split_pem(pem)[:1]
        found = openssl.read_certificate(leaf[0]) if leaf else None
        if found is None:
            raise PkiError(f"certificate {wanted.name}: what came back from the CA is no certificate")
        self._write(following / "cert.pem", leaf[0], 0o644)
        reasons = reasons_to_renew(
            wanted,
            found,
            key=openssl.public_key(str(following / "key.pem")),
            issued_by_ca=openssl.issued_by(str(following / "cert.pem"), self.ca),
            now=datetime.now(timezone.utc),  # noqa: UP017
            renew_before_days=0,
        )
        if reasons:
            raise PkiError(f"certificate {wanted.name} came back wrong and was not put in place: {'; '.join(reasons)}")
        self._set_files(wanted, following)
        self._go_live(home, found.serial)

    def repair(self, wanted: Wanted) -> bool:
        """Owner, mode and chain of a set whose certificate is good; the links in front of it."""
        return self._set_files(wanted, self.base / wanted.name / ".live") | self._links(self.base / wanted.name)

    def needs_repair(self, wanted: Wanted) -> bool:
        """What repair would say."""
        check, self.check = self.check, True
        try:
            return self.repair(wanted)
        finally:
            self.check = check

    def group_missing(self, wanted: Wanted) -> bool:
        """Certificates come before the packages whose users read them."""
        return _missing_group(wanted.group)

    def add_group(self, wanted: Wanted) -> None:
        """A system group: Debian's packages take it over when they come."""
        if _missing_group(wanted.group):
            _program(["groupadd", "--system", wanted.group])

    def untold(self) -> set[str]:
        """Topics that still have to be told. An unreadable note means that nobody knows: then nothing is promised."""
        try:
            return set(json.loads(_read(self.base / ".untold.json")))
        except FileNotFoundError:
            return set()
        except ValueError:
            raise PkiError(
                f"{self.base}/.untold.json can't be read: reload the services that use the certificates, then delete it"
            ) from None

    def note_untold(self, topics: set[str]) -> bool:
        """Write the topics down; always before the change that they tell of."""
        return topics != self.untold() and self._write(self.base / ".untold.json", json.dumps(sorted(topics)), 0o600)

    def trust(self) -> bool:
        """Have the host's own programs trust the CAs."""
        wanted = {f"{TRUST_PREFIX}{place}.crt": pem for place, pem in enumerate(split_pem(self.bundle))}
        files = _TRUST_SOURCE.glob(f"{TRUST_PREFIX}*.crt") if _TRUST_SOURCE.is_dir() else []
        stale = [path for path in files if path.name not in wanted]
        changed = [self._write(_TRUST_SOURCE / name, pem, 0o644) for name, pem in wanted.items()]
        for path in [] if self.check else stale:
            path.unlink()
        if any(changed) or stale or not self._is_trusted(list(wanted.values())):
            if not self.check:
                _program(["update-ca-certificates", "--fresh"])
            return True
        return False

    def _is_trusted(self, pems: list[str]) -> bool:
        """A run killed before update-ca-certificates leaves the bundle without a CA, or a link without its file."""
        bundle = _TRUST_LINKS / "ca-certificates.crt"
        text = _read(bundle) if bundle.is_file() else ""
        dangling = any(not path.exists() for path in _TRUST_LINKS.glob(f"{TRUST_PREFIX}*.pem"))
        return not dangling and all(pem.strip() in text for pem in pems)

    def _set_files(self, wanted: Wanted, place: Path) -> bool:
        cert = _read(place / "cert.pem")
        changed = [
            self._write(place / "fullchain.pem", cert + self.ca, 0o644),
            self._write(place / "ca.pem", self.bundle, 0o644),
            self._own(place / "cert.pem", "root", "root", 0o644),
            self._own(place / "key.pem", wanted.owner, wanted.group, wanted.key_mode),
        ]
        return any(changed)

    def _go_live(self, home: Path, serial: str) -> None:
        new = home / f".set-{serial}"
        if new.exists():
            shutil.rmtree(new)
        (home / ".next").rename(new)
        _link(home / ".live", new.name)
        self._links(home)
        for old in home.glob(".set-*"):
            if old != new:
                shutil.rmtree(old)

    def _links(self, home: Path) -> bool:
        wrong = [name for name in FILES if not _points_to(home / name, f".live/{name}")]
        for name in [] if self.check else wrong:
            _link(home / name, f".live/{name}")
        return bool(wrong)

    def _directory(self, path: Path) -> bool:
        if path.is_dir():
            return self._own(path, "root", "root", 0o755)
        if not self.check:
            path.mkdir(parents=True, mode=0o755)
            path.chmod(0o755)
        return True

    def _write(self, path: Path, text: str, mode: int) -> bool:
        """Replace a file in one step; the mode is right before the first byte is in it."""
        if path.is_file() and _read(path) == text:
            return self._own(path, "root", "root", mode)
        if not self.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.new")
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), mode)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        return True

    def _own(self, path: Path, owner: str, group: str, mode: int) -> bool:
        now = path.stat()
        if _missing_group(group) and self.check:
            return True
        ids = (_user_id(owner, path), grp.getgrnam(group).gr_gid)
        if (now.st_uid, now.st_gid, now.st_mode & 0o7777) == (*ids, mode):
            return False
        if not self.check:
            os.chown(path, *ids)
            path.chmod(mode)
        return True


def missing_programs(trust_system: bool) -> Iterator[str]:
    """The Debian packages that the work needs and the host lacks."""
    if not shutil.which("openssl"):
        yield "openssl"
    if trust_system and not shutil.which("update-ca-certificates", path="/usr/sbin:/usr/bin"):
        yield "ca-certificates"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _link(path: Path, target: str) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(path)


def _points_to(path: Path, target: str) -> bool:
    return path.is_symlink() and str(path.readlink()) == target


def _missing_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return True
    return False


def _user_id(name: str, path: Path) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise PkiError(
            f"{path}: there is no user {name}; leave owner at root and give the key to a group, which is made on demand"
        ) from None


def _program(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    if done.returncode:
        raise PkiError(f"{' '.join(command)} failed: {done.stderr.strip()}")
