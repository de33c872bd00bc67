# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baked image carries what the roles install, or a fleet stands in minutes instead of seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BAKED = ROOT / "roles/fleet/files/baked-packages"


def asked_for(node: Any) -> Iterator[Any]:
    """What the `name` of every task of trading.platform.packages is, in blocks too."""
    for child in node if isinstance(node, list) else node.values() if isinstance(node, dict) else ():
        yield from asked_for(child)
    if isinstance(node, dict) and isinstance(node.get("trading.platform.packages"), dict):
        yield node["trading.platform.packages"].get("name")


def packages() -> list[tuple[str, str]]:
    """(role, package) of every plain list, in vars or in a task; a template is settled only on the host."""
    found: list[tuple[str, Any]] = []
    for path in sorted(ROOT.glob("roles/*/vars/main.yml")):
        values = yaml.safe_load(path.read_text()) or {}
        found += [
            (path.parts[-3], value)
            for name, value in values.items()
            if name.startswith("__") and name.endswith("_packages")
        ]
    for path in sorted(ROOT.glob("roles/*/tasks/*.yml")):
        found += [(path.parts[-3], value) for value in asked_for(yaml.safe_load(path.read_text()))]
    return [(role, name) for role, value in found if isinstance(value, list) for name in value]


def baked() -> set[str]:
    lines = [line.partition("#")[0] for line in BAKED.read_text().splitlines()]
    return {word for line in lines for word in line.split()}


def test_the_roles_have_packages_at_all() -> None:
    assert {role for role, _name in packages()} >= {"base", "firewall"}


@pytest.mark.parametrize(("role", "package"), packages())
def test_the_image_carries_it(role: str, package: str) -> None:
    assert package in baked(), f"role {role} installs {package}: add it to {BAKED.relative_to(ROOT)}"
