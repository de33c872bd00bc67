# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes secrets, and the internal CA's certificate."""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LENGTH = 40
CA_DAYS = 3652


def generate(kind: str) -> str:
    """A new secret. Letters and digits only: safe in a URL, in a shell and in any configuration file."""
    if kind == "private_key":
        key = ec.generate_private_key(ec.SECP384R1())
        form = serialization.PrivateFormat.PKCS8
        return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _character in range(LENGTH))


def self_signed(environment: str, key_pem: str) -> str:
    """The internal CA's certificate: ten years, and no CA below it. Raises ValueError."""
    key = serialization.load_pem_private_key(key_pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the CA's key is not an EC key: put its certificate into pki_ca.yml yourself")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"trading.platform {environment} internal CA")])
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    )
    builder = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA384()).public_bytes(serialization.Encoding.PEM).decode()


def ca_problem(certificate_pem: str, key_pem: str) -> str:
    """What is wrong with a CA's certificate; empty when nothing is."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        public = serialization.load_pem_private_key(key_pem.encode(), None).public_key()
    except (ValueError, TypeError):
        return "it, or the CA's key, is not PEM"
    if certificate.public_key() != public:
        return "it does not belong to the CA's key"
    return "it has expired" if certificate.not_valid_after_utc < datetime.now(UTC) else ""
