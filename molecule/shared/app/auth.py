"""Passwords and session tokens. No I/O."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

# 16 MB and some 50 ms for one try.
COST, BLOCK, LANES = 2**14, 8, 1


def _scrypt(password: str, salt: bytes) -> str:
    digest = hashlib.scrypt(password.encode(), salt=salt, n=COST, r=BLOCK, p=LANES, dklen=32)
    return base64.b64encode(digest).decode()


def hash_password(password: str) -> str:
    salt = secrets.token_bytes(16)
    return f"scrypt${base64.b64encode(salt).decode()}${_scrypt(password, salt)}"


# Compared with when there is no such user, so that the answer takes as long.
NOBODY = f"scrypt${base64.b64encode(bytes(16)).decode()}${base64.b64encode(bytes(32)).decode()}"


def password_matches(password: str, hashed: str) -> bool:
    kind, _, rest = hashed.partition("$")
    salt, _, digest = rest.partition("$")
    if kind != "scrypt" or not digest:
        return False
    return hmac.compare_digest(_scrypt(password, base64.b64decode(salt)), digest)


def _signature(key: str, user_id: int, nonce: str) -> str:
    return hmac.new(key.encode(), f"{user_id}.{nonce}".encode(), hashlib.sha256).hexdigest()[:32]


def make_token(key: str, user_id: int) -> str:
    """`<user>.<random>.<hmac>`: what stands before the first dot is what a proxy may route by."""
    nonce = secrets.token_urlsafe(24)
    return f"{user_id}.{nonce}.{_signature(key, user_id, nonce)}"


def user_of(key: str, token: str) -> int | None:
    """Whose token it is, if this application made it. Whether it still counts, Redis knows."""
    user, _, rest = token.partition(".")
    nonce, _, signature = rest.rpartition(".")
    if not (user.isascii() and user.isdigit() and len(user) < 19 and nonce):
        return None
    if not hmac.compare_digest(_signature(key, int(user), nonce).encode(), signature.encode()):
        return None
    return int(user)


def session_key(token: str) -> str:
    """Where Redis keeps it. A hash, so that who reads Redis cannot log in."""
    return f"session:{hashlib.sha256(token.encode()).hexdigest()}"


def bearer(header: str, cookie: str) -> str:
    """The token of a request: Authorization wins over the cookie."""
    kind, _, token = header.partition(" ")
    return token.strip() if kind.lower() == "bearer" else cookie
