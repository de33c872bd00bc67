# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.trading.platform.plugins.module_utils._docker.registries import registry_files

CONFIG = "root/.docker/config.json"


def test_a_registry_becomes_a_ca_and_a_login() -> None:
    files = registry_files(
        [
            {"address": "10.0.0.1:5000", "ca": "PEM\n\n", "user": "deploy", "password": "pä:ss"},
            {"address": "public.example.com", "ca": "", "user": "", "password": ""},
            {"address": "plain.example.com"},
        ]
    )
    assert sorted(files) == ["etc/docker/certs.d/10.0.0.1:5000/ca.crt", CONFIG]
    assert files["etc/docker/certs.d/10.0.0.1:5000/ca.crt"] == "PEM\n"
    assert json.loads(files[CONFIG]) == {"auths": {"10.0.0.1:5000": {"auth": "ZGVwbG95OnDDpDpzcw=="}}}


def test_without_a_login_no_file_of_logins_is_made() -> None:
    assert registry_files([]) == {}
    assert CONFIG not in registry_files([{"address": "a.example.com", "ca": "PEM"}])


@pytest.mark.parametrize(
    ("registry", "said"),
    [
        ({"address": "https://a.example.com"}, "is no host or host:port"),
        ({"address": "a.example.com/team"}, "is no host or host:port"),
        ({"address": "../../etc"}, "is no host or host:port"),
        ({"ca": "PEM"}, "registry address '' is no host"),
        ({"address": "a.example.com", "user": "deploy"}, "Give both, or neither"),
        ({"address": "a.example.com", "password": "secret-word"}, "Give both, or neither"),
    ],
)
def test_a_bad_registry_is_refused_without_its_password(registry: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        registry_files([registry])
    assert "secret-word" not in str(caught.value)
