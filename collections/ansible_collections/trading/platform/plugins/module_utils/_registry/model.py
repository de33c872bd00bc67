# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image registry says and asks for (distribution API v2). Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence

# Both kinds of manifest, for one platform and for several; the digest is that of whichever the tag names.
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
SHOWN = 20


class RegistryError(Exception):
    """The registry cannot say, or says no. The message says what to do."""


def split(image: str, tag: str) -> tuple[str, str]:
    """`trading/app` and a tag, or an image that names its tag or digest itself."""
    if "@" in image:
        name, _at, reference = image.partition("@")
        return name.partition(":")[0], reference
    name, _colon, own = image.partition(":")
    return name, own or tag


def basic_credentials(config: str, registry: str) -> str:
    """What docker's config.json holds for the registry, as basic authentication wants it; empty without an entry."""
    entry = json.loads(config or "{}").get("auths", {}).get(registry, {})
    if entry.get("auth"):
        return str(entry["auth"])
    if entry.get("username"):
        return base64.b64encode(f"{entry['username']}:{entry.get('password', '')}".encode()).decode()
    return ""


def challenge(header: str) -> dict[str, str]:
    """A WWW-Authenticate of the kind Bearer as realm, service and scope; of any other kind nothing."""
    if not header.lower().startswith("bearer "):
        return {}
    return dict(re.findall(r'(\w+)="([^"]*)"', header))


def unknown(registry: str, name: str, reference: str, tags: Sequence[str], names: Sequence[str]) -> str:
    """The message for an image or a tag that is not there, with the list of what is."""
    if tags:
        return f"{registry} has no {name}:{reference}. Its tags are {_some(tags)}."
    there = f" It has {_some(names)}." if names else " It does not say what it has."
    return f"{registry} has no image {name}.{there}"


def moved(found: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """Sentences about images whose digest is not the expected one, or which nobody asked for."""
    return [
        f"{image} is {found[image]}, expected was {digest}."
        if image in found
        else f"{image} is no image of this release."
        for image, digest in sorted(expected.items())
        if found.get(image) != digest
    ]


def _some(values: Sequence[str]) -> str:
    shown = ", ".join(sorted(values)[:SHOWN])
    return shown + (f" and {len(values) - SHOWN} more" if len(values) > SHOWN else "")
