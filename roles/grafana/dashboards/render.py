# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grafana's JSON of a dashboard, in the schema of Grafana 10: later ones read it and carry it forward."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Protocol, Self

from grafana_foundation_sdk.builders import alertgroups, elasticsearch, logs, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from .panels import COLUMNS, Board, Mark, Panel

TAG = "trading-platform"
# What the role provisions under these very names.
METRICS = dashboard.DataSourceRef("prometheus", "prometheus")
ALERTS = dashboard.DataSourceRef("alertmanager", "alertmanager")
LOGS = dashboard.DataSourceRef("elasticsearch", "logs")
TOP, HEIGHT = 4, 8
# Prometheus' labels that say the same in each row of a table.
HIDDEN = ("Time", "__name__", "env", "job", "fleet")


class Shared(Protocol):
    """What the builders of all kinds of panels have in common."""

    def id(self, id_val: int) -> Self: ...
    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: dashboard.DataSourceRef) -> Self: ...
    def height(self, h: int) -> Self: ...
    def span(self, w: int) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def decimals(self, decimals: float) -> Self: ...
    def min(self, min_val: float) -> Self: ...
    def no_value(self, no_value: str) -> Self: ...
    def mappings(self, mappings: list[dashboard.ValueMapping]) -> Self: ...
    def thresholds(self, thresholds: Builder[dashboard.ThresholdsConfig]) -> Self: ...
    def color_scheme(self, color: Builder[dashboard.FieldColor]) -> Self: ...
    def with_target(self, target: Builder[Dataquery]) -> Self: ...
    def build(self) -> dashboard.Panel: ...


def document(board: Board) -> str:
    """The file that Grafana's provisioning reads."""
    return json.dumps(build(board), cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def build(board: Board) -> dashboard.Dashboard:
    made = (
        builders.Dashboard(board.title)
        .uid(board.uid)
        .description(board.question)
        .tags([TAG])
        .timezone("browser")
        .time("now-3h", "now")
        .refresh("30s")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(
            builders.DashboardLink("Dashboards")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(True)
        )
    )
    for variable in variables(board):
        made.with_variable(variable)
    for mark in board.marks:
        made.annotation(Annotation(board, mark))
    for panel, (x, y, w, h) in zip(board.panels, layout(board), strict=True):
        made.with_panel(Placed(one(board, panel), x, y, w, h))
    return made.build()


class Placed(Builder[dashboard.Panel]):
    """A panel at its place; left to itself the SDK puts what does not fit into a row beyond its end."""

    def __init__(self, panel: Shared, x: int, y: int, w: int, h: int) -> None:
        self.panel = panel
        self.place = dashboard.GridPos(h=h, w=w, x=x, y=y)

    def build(self) -> dashboard.Panel:
        built = self.panel.build()
        built.grid_pos = self.place
        return built


def layout(board: Board) -> list[tuple[int, int, int, int]]:
    """x, y, width and height of each panel: the top row shares the width, below each has its own."""
    edges = [round(COLUMNS * number / len(board.top)) for number in range(len(board.top) + 1)]
    places = [(left, 0, right - left, TOP) for left, right in itertools.pairwise(edges)]
    x, y = 0, TOP
    for panel in board.body:
        if x + panel.width > COLUMNS:
            x, y = 0, y + HEIGHT
        places.append((x, y, panel.width, HEIGHT))
        x += panel.width
    return places


def variables(board: Board) -> list[Builder[dashboard.VariableModel]]:
    found = [variable("env", "Environment", "label_values(up, env)")]
    if board.hosts:
        found.append(variable("instance", "Host", f"label_values({board.expand(board.hosts)}, instance)"))
    return list(found)


def variable(name: str, label: str, query: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .query({"query": query, "refId": name})
        .datasource(METRICS)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(dashboard.VariableOption(True, ["All"], ["$__all"]))
    )


class MarkQuery(dashboard.AnnotationQuery):
    """With what the schema leaves out, and Grafana's data source for Prometheus reads."""

    def __init__(self, mark: Mark, expression: str) -> None:
        super().__init__(mark.title, METRICS, enable=True, icon_color=mark.colour, expr=expression)
        self.extra = {"titleFormat": mark.text, "step": "60s", "useValueForTime": mark.is_time}

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), **self.extra}


class Annotation(Builder[dashboard.AnnotationQuery]):
    """A mark, as the SDK takes it."""

    def __init__(self, board: Board, mark: Mark) -> None:
        self.made = MarkQuery(mark, board.expand(mark.expression))

    def build(self) -> dashboard.AnnotationQuery:
        return self.made


def one(board: Board, panel: Panel) -> Shared:
    """The panel without its place."""
    if panel.kind == "alerts":
        return _alerts(panel)
    made: Shared = {"stat": _stat, "timeseries": _timeseries, "table": _table, "logs": _logs}[panel.kind](panel)
    made.id(panel.number).title(panel.title).description(panel.description)
    made.datasource(LOGS if panel.kind == "logs" else METRICS)
    for number, (legend, expression) in enumerate(panel.queries.items()):
        made.with_target(target(panel.kind, chr(ord("A") + number), legend, board.expand(expression)))
    if panel.kind == "logs":
        return made
    made.unit(panel.unit).thresholds(thresholds(panel)).color_scheme(colours(panel))
    made.no_value("none" if panel.empty_when_good else "no data")
    if panel.decimals is not None:
        made.decimals(panel.decimals)
    if panel.words:
        named = {str(value): dashboard.ValueMappingResult(text=text) for value, text in panel.words.items()}
        made.mappings([dashboard.ValueMap(named)])
    return made


def target(kind: str, name: str, legend: str, expression: str) -> Builder[Dataquery]:
    if kind == "logs":
        return (
            elasticsearch.Dataquery()
            .ref_id(name)
            .query(expression)
            .time_field("@timestamp")
            .metrics([elasticsearch.Logs().id("1")])
        )
    query = prometheus.Dataquery().ref_id(name).expr(expression).legend_format(legend or "__auto")
    if kind == "timeseries":
        return query.range()
    return query.instant().format(PromQueryFormat.TABLE if kind == "table" else PromQueryFormat.TIME_SERIES)


def thresholds(panel: Panel) -> builders.ThresholdsConfig:
    steps = [dashboard.Threshold(value, colour) for value, colour in panel.thresholds.steps]
    return builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def colours(panel: Panel) -> builders.FieldColor:
    """Lines are told apart by colour, and their good side is drawn; a figure carries its own colour."""
    palette = dashboard.FieldColorModeId.PALETTE_CLASSIC
    return builders.FieldColor().mode(palette if panel.kind == "timeseries" else dashboard.FieldColorModeId.THRESHOLDS)


def _stat(panel: Panel) -> Shared:
    plain = not panel.thresholds.judges
    return (
        stat.Panel()
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .color_mode(common.BigValueColorMode.VALUE if plain else common.BigValueColorMode.BACKGROUND)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME if any(panel.queries) else common.BigValueTextMode.VALUE)
    )


def _timeseries(panel: Panel) -> Shared:
    made = (
        timeseries.Panel()
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .line_width(1)
        .fill_opacity(30 if panel.stacked else 5)
        .span_nulls(False)
        .axis_soft_min(0)
    )
    if panel.stacked:
        made.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if panel.thresholds.judges:
        made.thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(common.GraphTresholdsStyleMode.DASHED))
    return made


def _table(panel: Panel) -> Shared:
    names: Sequence[str] = list(panel.queries)
    columns = (
        {"Value": names[0]}
        if len(names) == 1
        else {f"Value #{chr(ord('A') + n)}": name for n, name in enumerate(names)}
    )
    organize = {"excludeByName": dict.fromkeys(HIDDEN, True), "renameByName": columns, "indexByName": {}}
    made = table.Panel().show_header(True)
    if len(names) > 1:
        made.with_transformation(dashboard.DataTransformerConfig("merge", options={}))
    made.with_transformation(dashboard.DataTransformerConfig("organize", options=organize))
    coloured = [dashboard.DynamicConfigValue("custom.cellOptions", {"type": "color-text"})]
    for name in names:
        made.override_by_name(name, coloured)
    return made


def _logs(_: Panel) -> Shared:
    return (
        logs.Panel()
        .show_time(True)
        .show_labels(False)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(common.LogsSortOrder.DESCENDING)
    )


def _alerts(panel: Panel) -> Shared:
    (labels,) = panel.queries.values()
    made: Shared = (
        alertgroups.Panel()
        .id(panel.number)
        .title(panel.title)
        .description(panel.description)
        .datasource(ALERTS)
        .labels(labels)
        .alertmanager("Alertmanager")
        .expand_all(True)
    )
    return made
