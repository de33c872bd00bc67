"""The page's files, and how long who may keep them. No network."""

from __future__ import annotations

import hashlib
from pathlib import Path

TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
YEAR = 365 * 24 * 3600


def fingerprint(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def caching(asked_version: str, has: str) -> str:
    """For ever only by the name of this very content; a page of another release may ask for another."""
    return f"public, max-age={YEAR}, immutable" if asked_version == has else "no-cache"


def load(directory: Path) -> dict[str, bytes]:
    """The files; the page names the others by what is in them."""
    files = {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix in TYPES}
    page = files["index.html"]
    for name in files.keys() - {"index.html"}:
        page = page.replace(f'"/{name}"'.encode(), f'"/{name}?v={fingerprint(files[name])}"'.encode())
    return {**files, "index.html": page}
