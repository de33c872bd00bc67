# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.trading.platform.plugins.module_utils._registry.model import (
    basic_credentials,
    challenge,
    moved,
    split,
    unknown,
)

A = "sha256:" + "a" * 64
B = "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("trading/app", ("trading/app", "v2")),
        ("trading/app:stable", ("trading/app", "stable")),
        (f"trading/app@{A}", ("trading/app", A)),
        (f"trading/app:v1@{A}", ("trading/app", A)),
    ],
)
def test_split(image: str, expected: tuple[str, str]) -> None:
    assert split(image, "v2") == expected


@pytest.mark.parametrize(
    ("auths", "expected"),
    [
        ({"r:5000": {"auth": "eDp5"}}, "eDp5"),
        ({"r:5000": {"username": "x", "password": "y"}}, "eDp5"),
        ({"other:5000": {"auth": "eDp5"}}, ""),
        ({}, ""),
    ],
)
def test_credentials_are_those_of_this_registry(auths: dict[str, object], expected: str) -> None:
    assert basic_credentials(json.dumps({"auths": auths}), "r:5000") == expected
    assert basic_credentials("", "r:5000") == ""


def test_challenge() -> None:
    header = 'Bearer realm="https://auth.example/token",service="r",scope="repository:trading/app:pull"'
    assert challenge(header) == {
        "realm": "https://auth.example/token",
        "service": "r",
        "scope": "repository:trading/app:pull",
    }
    assert challenge('Basic realm="r"') == {}


@pytest.mark.parametrize(
    ("tags", "names", "expected"),
    [
        (["v2", "v1"], [], "r has no trading/app:v3. Its tags are v1, v2."),
        ([], ["b", "a"], "r has no image trading/app. It has a, b."),
        ([], [], "r has no image trading/app. It does not say what it has."),
        (
            [f"v{i:02}" for i in range(22)],
            [],
            "r has no trading/app:v3. Its tags are " + ", ".join(f"v{i:02}" for i in range(20)) + " and 2 more.",
        ),
    ],
)
def test_unknown_lists_what_exists(tags: list[str], names: list[str], expected: str) -> None:
    assert unknown("r", "trading/app", "v3", tags, names) == expected


@pytest.mark.parametrize(
    ("expected", "problems"),
    [
        ({}, []),
        ({"trading/app": A}, []),
        ({"trading/app": B}, [f"trading/app is {A}, expected was {B}."]),
        ({"trading/ap": A}, ["trading/ap is no image of this release."]),
    ],
)
def test_moved(expected: dict[str, str], problems: list[str]) -> None:
    assert moved({"trading/app": A}, expected) == problems
