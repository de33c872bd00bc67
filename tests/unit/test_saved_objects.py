# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kibana's saved objects: whole, and about streams and fields that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.trading.platform.plugins.module_utils._kibana.objects import key, parsed, wanted
from program import imported

from roles.kibana.saved.content import BOARDS, SEARCHES, VIEWS
from roles.kibana.saved.files import FILE, drift
from roles.kibana.saved.model import WIDTH, rendered

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = rendered(VIEWS, SEARCHES, BOARDS)
standin = imported(ROOT / "molecule/shared/standins/kibana/kibana_server.py")
ELASTICSEARCH = yaml.safe_load((ROOT / "roles/elasticsearch/vars/main.yml").read_text())


def test_the_file_is_what_the_python_says() -> None:
    assert drift() == []
    assert parsed(FILE.read_text()) == OBJECTS


def test_all_that_is_referred_to_is_there() -> None:
    assert wanted(OBJECTS) == OBJECTS


@pytest.mark.parametrize("one", OBJECTS, ids=key)
def test_kibana_could_read_it(one: dict[str, Any]) -> None:
    standin.checked(one)


def test_there_is_a_view_for_each_stream() -> None:
    streams = yaml.safe_load((ROOT / "roles/elasticsearch/defaults/main.yml").read_text())["elasticsearch_streams"]
    assert {f"logs-{one['name']}-*" for one in streams} <= {view.pattern for view in VIEWS}


def typed(properties: dict[str, Any], above: str = "") -> set[str]:
    """Every field that can be searched for: what is not mapped is only shown."""
    found = set()
    for name, one in properties.items():
        found |= typed(one["properties"], f"{above}{name}.") if "properties" in one else {f"{above}{name}"}
    return found


FIELDS = typed(ELASTICSEARCH["__elasticsearch_mapping"]["properties"])


@pytest.mark.parametrize("one", [panel for panel in OBJECTS if panel["type"] in ("search", "visualization")], ids=key)
def test_it_asks_for_fields_that_are_mapped(one: dict[str, Any]) -> None:
    source = json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    asked = set(re.findall(r"([\w.]+)\s*(?::|>=)", source["query"]["query"]))
    asked |= set(one["attributes"].get("columns", []))
    state = json.loads(one["attributes"].get("visState", '{"aggs": []}'))
    asked |= {agg["params"]["field"] for agg in state["aggs"] if "field" in agg["params"]}
    assert asked <= FIELDS
    assert asked or not source["query"]["query"]


def test_panels_do_not_overlap() -> None:
    for board in (one for one in OBJECTS if one["type"] == "dashboard"):
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(board["attributes"]["panelsJSON"]):
            grid = panel["gridData"]
            place = {
                (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
            }
            assert not place & taken
            assert grid["x"] + grid["w"] <= WIDTH
            taken |= place
