# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The openssl program, asked for one thing at a time."""

from __future__ import annotations

import subprocess
from datetime import datetime

from .certificates import Found, PkiError, Wanted, parse_time, parse_x509, public_key_of, request_config


def read_certificate(pem: str) -> Found | None:
    """What a certificate says of itself; None when it is no certificate."""
    options = ["-serial", "-subject", "-nameopt", "RFC2253", "-enddate", "-pubkey"]
    code, out, _error = _run(["x509", "-noout", *options, "-ext", "subjectAltName,extendedKeyUsage"], pem)
    return None if code else parse_x509(out)


def read_end(pem: str) -> datetime:
    """The last day of the CA's certificate."""
    return parse_time(_must(["x509", "-noout", "-enddate"], pem, "read pki_ca_certificate").strip()[len("notAfter=") :])


def public_key(path: str) -> str:
    """The public half of the key in a file; empty when there is no usable one."""
    code, out, _error = _run(["pkey", "-in", path, "-pubout"], "")
    return "" if code else public_key_of(out)


def issued_by(path: str, ca: str) -> bool:
    """Is the certificate signed by this CA, and not by another that the host trusts?

    Its age is looked at elsewhere, so time does not count here.
    """
    options = ["-partial_chain", "-no_check_time", "-no-CApath", "-no-CAstore", "-CAfile", "/dev/stdin"]
    code, _out, _error = _run(["verify", *options, path], ca)
    return code == 0


def new_key() -> str:
    """A new EC P-256 key. It passes through memory only, so that no file holds it before its mode is set."""
    return _must(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "", "make a key")


def request(key_path: str, wanted: Wanted) -> str:
    """A signing request for the key; the configuration comes by stdin."""
    arguments = ["req", "-new", "-sha256", "-key", key_path, "-config", "/dev/stdin"]
    return _must(arguments, request_config(wanted), f"make a request for certificate {wanted.name}")


def _must(arguments: list[str], stdin: str, what: str) -> str:
    code, out, error = _run(arguments, stdin)
    if code:
        raise PkiError(f"openssl could not {what}: {error.strip()}")
    return out


def _run(arguments: list[str], stdin: str) -> tuple[int, str, str]:
    done = subprocess.run(
        ["openssl", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
    )
    return done.returncode, done.stdout, done.stderr
