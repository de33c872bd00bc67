# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes by package can come from the firm's mirror, said alike in each role."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
GIVEN = {
    "uri": "https://packages.example.com/x",
    "suites": ["stable", "testing"],
    "key": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDM=\n-----END PGP PUBLIC KEY BLOCK-----\n",
}
SOURCE = """\
# managed
Types: deb
URIs: https://packages.example.com/x
Suites: stable testing
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDM=
 -----END PGP PUBLIC KEY BLOCK-----
"""


@pytest.mark.parametrize("role", ["docker_host", "grafana", "kibana", "logstash", "postgres", "prometheus"])
def test_a_mirror_is_a_variable(role: str) -> None:
    name = f"{role}_apt_source"
    assert yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())[name] == {}, "the host's sources by default"
    spec = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert spec[name]["options"].keys() == {"uri", "suites", "components", "key"}
    (template,) = (ROLES / role / "templates/tree/etc/apt/sources.list.d").glob("*.sources.j2")
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True)  # noqa: S701 - no HTML
    environment.filters["split"] = str.split
    text = environment.from_string(template.read_text()).render({name: GIVEN, "ansible_managed": "managed"})
    assert text == SOURCE
    # Without one no file lands; with one apt hears of it before the package is asked for.
    said = "".join((ROLES / role / place).read_text() for place in ("tasks/main.yml", "vars/main.yml"))
    assert f"[] if {name} else ['etc/apt/sources.list.d/{template.stem}" in said
    assert f"match: [etc/apt/sources.list.d/{template.stem}]" in said
