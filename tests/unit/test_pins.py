# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is pinned in three places says the same in all: pyproject.toml, requirements.lock, requirements.yml."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def wanted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [Requirement(text) for text in [*project["project"]["dependencies"], *project["dependency-groups"]["test"]]]


def locked() -> dict[str, str]:
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def collections() -> list[tuple[str, str]]:
    pinned = yaml.safe_load((ROOT / "requirements.yml").read_text())["collections"]
    return [(one["name"], one["version"]) for one in pinned]


@pytest.mark.parametrize("requirement", wanted(), ids=lambda requirement: requirement.name)
def test_the_lock_satisfies_pyproject(requirement: Requirement) -> None:
    version = locked().get(canonicalize_name(requirement.name))
    assert version is not None, f"{requirement.name} is not in requirements.lock: compile it again"
    assert requirement.specifier.contains(version), f"requirements.lock has {version}, not {requirement}"


def test_every_pin_of_the_lock_has_a_hash() -> None:
    pins = re.split(r"^(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    assert [pin.split()[0] for pin in pins if "==" in pin and "--hash=sha256:" not in pin] == []


@pytest.mark.parametrize(("name", "version"), collections())
def test_the_ansible_wheel_brings_this_collection(name: str, version: str) -> None:
    """Else bin/setup would need a Galaxy server."""
    carrier = find_spec("ansible")
    assert carrier is not None
    assert carrier.origin is not None
    manifest = Path(carrier.origin).parents[1] / "ansible_collections" / name.replace(".", "/") / "MANIFEST.json"
    assert manifest.exists(), f"the ansible wheel has no {name}"
    assert json.loads(manifest.read_text())["collection_info"]["version"] == version
