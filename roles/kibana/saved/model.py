# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown, as data, and the saved objects that Kibana 8 has for it. Pure.

They are written as Kibana 8.0 exported them, which every later 8 takes and brings up to its own form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Saved = dict[str, Any]
# A dashboard is 48 columns wide.
WIDTH = 48
RELEASE = "8.0.0"
SOURCE = "kibanaSavedObjectMeta.searchSourceJSON.index"


@dataclass(frozen=True)
class View:
    """A data view: which streams, under which name."""

    key: str
    name: str
    pattern: str

    @property
    def id(self) -> str:
        return f"trading-{self.key}"


@dataclass(frozen=True)
class Search:
    """Documents of a view, newest first. `query` is KQL."""

    key: str
    title: str
    what: str
    view: View
    query: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Chart:
    """Lines counted: over time as bars, or in a table, by a field."""

    key: str
    title: str
    what: str
    view: View
    query: str
    by: str
    over_time: bool = False


@dataclass(frozen=True)
class Board:
    """A dashboard: rows from top to bottom, whose panels share the width."""

    key: str
    title: str
    what: str
    rows: tuple[tuple[Search | Chart, ...], ...]
    since: str = "now-24h"


def text(data: object) -> str:
    """Kibana keeps JSON in strings."""
    return json.dumps(data, separators=(",", ":"))


def saved(kind: str, name: str, attributes: Mapping[str, Any], references: Sequence[tuple[str, str, str]]) -> Saved:
    return {
        "type": kind,
        "id": name,
        "attributes": dict(attributes),
        "references": [{"name": name, "type": kind, "id": which} for name, kind, which in references],
        "coreMigrationVersion": RELEASE,
        "migrationVersion": {kind: RELEASE},
    }


def source(query: str, view: View | None) -> dict[str, str]:
    asked: dict[str, Any] = {"query": {"query": query, "language": "kuery"}, "filter": []}
    if view:
        asked["indexRefName"] = SOURCE
    return {"searchSourceJSON": text(asked)}


def of_view(view: View) -> list[tuple[str, str, str]]:
    return [(SOURCE, "index-pattern", view.id)]


def data_view(view: View) -> Saved:
    attributes = {"title": view.pattern, "name": view.name, "timeFieldName": "@timestamp"}
    return saved("index-pattern", view.id, attributes, [])


def search(one: Search) -> Saved:
    attributes = {
        "title": one.title,
        "description": one.what,
        "columns": list(one.columns),
        "sort": [["@timestamp", "desc"]],
        "kibanaSavedObjectMeta": source(one.query, one.view),
    }
    return saved("search", f"trading-{one.key}", attributes, of_view(one.view))


def chart(one: Chart) -> Saved:
    state = {"title": one.title, **(bars(one) if one.over_time else table(one))}
    attributes = {
        "title": one.title,
        "description": one.what,
        "visState": text(state),
        "uiStateJSON": "{}",
        "version": 1,
        "kibanaSavedObjectMeta": source(one.query, one.view),
    }
    return saved("visualization", f"trading-{one.key}", attributes, of_view(one.view))


COUNT = {"id": "1", "enabled": True, "type": "count", "params": {}, "schema": "metric"}


def terms(one: Chart, number: str, schema: str, size: int) -> dict[str, Any]:
    params = {
        "field": one.by,
        "orderBy": "1",
        "order": "desc",
        "size": size,
        "otherBucket": True,
        "otherBucketLabel": "Other",
        "missingBucket": False,
        "missingBucketLabel": "Missing",
    }
    return {"id": number, "enabled": True, "type": "terms", "params": params, "schema": schema}


def table(one: Chart) -> dict[str, Any]:
    params = {
        "perPage": 10,
        "showPartialRows": False,
        "showMetricsAtAllLevels": False,
        "showTotal": True,
        "totalFunc": "sum",
        "percentageCol": "",
    }
    return {"type": "table", "aggs": [COUNT, terms(one, "2", "bucket", 50)], "params": params}


def bars(one: Chart) -> dict[str, Any]:
    over = {"field": "@timestamp", "interval": "auto", "drop_partials": False, "min_doc_count": 1}
    labels = {"show": True, "filter": True, "truncate": 100}
    params = {
        "type": "histogram",
        "grid": {"categoryLines": False},
        "categoryAxes": [
            {
                "id": "CategoryAxis-1",
                "type": "category",
                "position": "bottom",
                "show": True,
                "scale": {"type": "linear"},
                "labels": labels,
                "title": {},
                "style": {},
            }
        ],
        "valueAxes": [
            {
                "id": "ValueAxis-1",
                "name": "LeftAxis-1",
                "type": "value",
                "position": "left",
                "show": True,
                "scale": {"type": "linear", "mode": "normal"},
                "labels": {**labels, "rotate": 0, "filter": False},
                "title": {"text": "Lines"},
                "style": {},
            }
        ],
        "seriesParams": [
            {
                "show": True,
                "type": "histogram",
                "mode": "stacked",
                "data": {"label": "Lines", "id": "1"},
                "valueAxis": "ValueAxis-1",
                "drawLinesBetweenPoints": True,
                "lineWidth": 2,
                "showCircles": True,
            }
        ],
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {"show": False},
    }
    when = {"id": "2", "enabled": True, "type": "date_histogram", "params": over, "schema": "segment"}
    return {"type": "histogram", "aggs": [COUNT, when, terms(one, "3", "group", 8)], "params": params}


def board(one: Board) -> Saved:
    panels: list[dict[str, Any]] = []
    references: list[tuple[str, str, str]] = []
    top = 0
    for row in one.rows:
        height = 20 if any(isinstance(panel, Search) for panel in row) else 15
        wide = WIDTH // len(row)
        for place, panel in enumerate(row):
            number = str(len(panels) + 1)
            kind = "search" if isinstance(panel, Search) else "visualization"
            panels.append(
                {
                    "version": RELEASE,
                    "type": kind,
                    "gridData": {"x": place * wide, "y": top, "w": wide, "h": height, "i": number},
                    "panelIndex": number,
                    "embeddableConfig": {"enhancements": {}},
                    "panelRefName": f"panel_{number}",
                }
            )
            references.append((f"{number}:panel_{number}", kind, f"trading-{panel.key}"))
        top += height
    attributes = {
        "title": one.title,
        "description": one.what,
        "panelsJSON": text(panels),
        "optionsJSON": text({"useMargins": True, "syncColors": False, "hidePanelTitles": False}),
        "version": 1,
        "timeRestore": True,
        "timeFrom": one.since,
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 60000},
        "kibanaSavedObjectMeta": source("", None),
    }
    return saved("dashboard", f"trading-{one.key}", attributes, references)


def rendered(views: Sequence[View], searches: Sequence[Search], boards: Sequence[Board]) -> list[Saved]:
    """What is referred to first; a panel that several dashboards show is there once."""
    shown = [panel for one in boards for row in one.rows for panel in row]
    charts = {panel.key: panel for panel in shown if isinstance(panel, Chart)}
    return [
        *map(data_view, views),
        *map(search, searches),
        *map(chart, charts.values()),
        *map(board, boards),
    ]
