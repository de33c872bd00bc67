# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Grafana reads at its start, as files by path. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

FOLDER = "etc/grafana/dashboards"
SECRETS = "etc/trading-platform/grafana"
OTHERS = "Platform"
OVERVIEW = "Overview"
OWN = re.compile(r"[^/]+/[A-Za-z0-9_.-]+\.json")


def data_sources(
    wanted: Sequence[Mapping[str, Any]],
    more: Sequence[Mapping[str, Any]],
    trust: Mapping[str, Any],
    shown: Mapping[str, str],
    secrets: str,
) -> list[dict[str, Any]]:
    """The data sources that have a place, and the firm's own as they are."""
    found = [_source(one["place"], one["source"], trust, shown, secrets) for one in wanted if one["place"]]
    found += [{"access": "proxy", "editable": False, **one} for one in more]
    for key in ("uid", "name"):
        values = [str(one.get(key, "")) for one in found]
        twice = sorted({value for value in values if value and values.count(value) > 1})
        if twice:
            raise ValueError(
                f"the data sources of Grafana have the {key} {twice[0]!r} twice. The role makes prometheus, "
                "alertmanager and logs itself: give those of grafana_data_sources other ones."
            )
    return found


def _source(
    place: Mapping[str, Any],
    source: Mapping[str, Any],
    trust: Mapping[str, Any],
    shown: Mapping[str, str],
    secrets: str,
) -> dict[str, Any]:
    url = str(place.get("url", ""))
    if not url.startswith("https://"):
        raise ValueError(
            f"Grafana's data source {source['name']} has the address {url!r}, which is not https://. Its password "
            "would travel in the clear."
        )
    login: dict[str, Any] = {}
    secure = dict(shown)
    if place.get("user"):
        login = {"basicAuth": True, "basicAuthUser": place["user"]}
        secure["basicAuthPassword"] = f"$__file{{{secrets}/{source['uid']}_password}}"
    return {
        **{key: value for key, value in source.items() if key != "jsonData"},
        **login,
        "access": "proxy",
        "url": url,
        "editable": False,
        "jsonData": {**source.get("jsonData", {}), **trust},
        "secureJsonData": secure,
    }


def dashboards(boards: Mapping[str, str], overview: Sequence[str], own: Mapping[str, str]) -> dict[str, str]:
    """Text by path. A folder of Grafana is a directory."""
    unknown = sorted(set(overview) - {name.removesuffix(".json") for name in boards})
    if unknown:
        have = ", ".join(sorted(name.removesuffix(".json") for name in boards))
        raise ValueError(f"grafana_overview names {unknown[0]!r}, which is no dashboard. There are: {have}.")
    files = {
        f"{FOLDER}/{OVERVIEW if name.removesuffix('.json') in overview else OTHERS}/{name}": text
        for name, text in boards.items()
    }
    for path, text in own.items():
        if not OWN.fullmatch(path):
            raise ValueError(f"grafana_dashboards has {path!r}: write Folder/name.json, with one folder.")
        if f"{FOLDER}/{path}" in files:
            raise ValueError(f"grafana_dashboards has {path!r}, which is the role's. Choose another name or folder.")
        files[f"{FOLDER}/{path}"] = text
    return files


def secrets(places: Mapping[str, Mapping[str, Any] | None]) -> dict[str, str]:
    """A file for each password, because provisioning files and grafana.ini only name them."""
    return {
        f"{SECRETS}/{name}_password": str(place["password"])
        for name, place in places.items()
        if place and place.get("password")
    }
