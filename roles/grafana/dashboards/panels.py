# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dashboard is made of, as data. `render` makes Grafana's JSON of it, `pages` the handbook's page."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

GREEN, ORANGE, RED, PLAIN = "green", "orange", "red", "blue"
# As wide as a dashboard.
COLUMNS = 24
# HERE and ENV in a query stand for what the dashboard's variables pick; see Board.expand.
ENV = 'env=~"$env"'
HERE = 'env=~"$env",instance=~"$instance"'
# What a variable means to somebody who runs a query by hand: everything, over the usual time.
BY_HAND = {"$env": ".+", "$instance": ".+", "$__rate_interval": "5m", "$__range": "1h"}


@dataclass(frozen=True)
class Thresholds:
    """Colours from a value on, the first one from minus infinity. Without steps the figure has no good side."""

    steps: tuple[tuple[float | None, str], ...] = ((None, PLAIN),)
    # Of a figure without a good side: why it has none.
    why: str = ""

    @property
    def judges(self) -> bool:
        return len(self.steps) > 1

    def because(self, why: str) -> Thresholds:
        """No colours, and that on purpose."""
        return replace(self, why=why)


NEUTRAL = Thresholds()


def below(limit: float, bad: float | None = None) -> Thresholds:
    """Good is less than the limit; from `bad` on somebody has to act. Without it the limit is that."""
    if bad is None:
        return Thresholds(((None, GREEN), (limit, RED)))
    return Thresholds(((None, GREEN), (limit, ORANGE), (bad, RED)))


def least(limit: float, bad: float | None = None) -> Thresholds:
    """Good is the limit or more; under `bad` somebody has to act. Without it the limit is that."""
    if bad is None:
        return Thresholds(((None, RED), (limit, GREEN)))
    return Thresholds(((None, RED), (bad, ORANGE), (limit, GREEN)))


def exactly(count: int) -> Thresholds:
    """Good is this many; more is as bad as fewer, as with primaries."""
    return Thresholds(((None, RED), (count, GREEN), (count + 1, RED)))


@dataclass(frozen=True)
class Panel:
    """One panel. Its key is for ever: alerts link to it, and Grafana's number is made from it."""

    kind: str
    key: str
    title: str
    # Legend and expression. Of a table the legend is the column's name, of a list of logs the expression is Lucene.
    queries: Mapping[str, str]
    unit: str
    thresholds: Thresholds
    description: str
    # Whether nothing at all is the good answer, as for what fails. Others must have data on a fleet that is well.
    empty_when_good: bool = False
    decimals: int | None = None
    # What words stand for a value, such as 1: up.
    words: Mapping[int, str] = field(default_factory=dict)
    stacked: bool = False
    width: int = 0

    @property
    def number(self) -> int:
        return 1 + zlib.crc32(self.key.encode()) % 1_000_000


@dataclass(frozen=True)
class Mark:
    """A line where something was done, in the dashboards that show what may come of it."""

    key: str
    title: str
    colour: str
    # How one is called, with the labels of its series.
    text: str
    expression: str
    # Whether the series' value is when it was, in milliseconds. Else it was where there is a value.
    is_time: bool = False


@dataclass(frozen=True)
class Board:
    """One dashboard: a question, figures that answer it at a glance, and what to look at when the answer is no."""

    uid: str
    title: str
    # The question that the top row answers.
    question: str
    # How to read it, for the handbook: what to look at first, and where to go from there.
    reading: str
    top: tuple[Panel, ...]
    body: tuple[Panel, ...]
    # A query whose label `instance` are the hosts to choose from. Empty: the dashboard is about all of them at once.
    hosts: str = ""
    marks: tuple[Mark, ...] = ()

    @property
    def panels(self) -> tuple[Panel, ...]:
        return self.top + self.body

    def expand(self, expression: str) -> str:
        """A query with the dashboard's variables in it, as one line."""
        return " ".join(expression.replace("HERE", HERE if self.hosts else ENV).replace("ENV", ENV).split())


def by_hand(expression: str) -> str:
    """A query of a dashboard as somebody without the dashboard can run it."""
    for name, value in BY_HAND.items():
        expression = expression.replace(name, value)
    return expression


def _queries(query: str | Mapping[str, str], legend: str) -> Mapping[str, str]:
    return {legend: query} if isinstance(query, str) else query


def stat(  # noqa: PLR0917 - what every panel has, in one order
    key: str,
    title: str,
    query: str,
    unit: str,
    thresholds: Thresholds,
    description: str,
    *,
    legend: str = "",
    empty_when_good: bool = False,
    decimals: int | None = None,
    words: Mapping[int, str] | None = None,
) -> Panel:
    """One figure, in colour. With a legend one for each series."""
    return Panel(
        "stat", key, title, {legend: query}, unit, thresholds, description, empty_when_good, decimals, words or {}
    )


def timeseries(  # noqa: PLR0917 - what every panel has, in one order
    key: str,
    title: str,
    query: str | Mapping[str, str],
    unit: str,
    thresholds: Thresholds,
    description: str,
    *,
    legend: str = "{{instance}}",
    empty_when_good: bool = False,
    stacked: bool = False,
    width: int = 12,
) -> Panel:
    """Lines over time, with the threshold drawn in."""
    return Panel(
        "timeseries",
        key,
        title,
        _queries(query, legend),
        unit,
        thresholds,
        description,
        empty_when_good,
        stacked=stacked,
        width=width,
    )


def table(  # noqa: PLR0917 - what every panel has, in one order
    key: str,
    title: str,
    query: str | Mapping[str, str],
    unit: str,
    thresholds: Thresholds,
    description: str,
    *,
    legend: str = "Value",
    empty_when_good: bool = False,
    words: Mapping[int, str] | None = None,
    width: int = 12,
) -> Panel:
    """What is now, a row for each series and a column for each label. Several queries are joined by their labels."""
    return Panel(
        "table",
        key,
        title,
        _queries(query, legend),
        unit,
        thresholds,
        description,
        empty_when_good,
        words=words or {},
        width=width,
    )


def alerts(key: str, title: str, labels: str, description: str, *, width: int = 12) -> Panel:
    """What fires now, from Alertmanager, by labels such as severity="critical". Silenced ones are marked there."""
    return Panel("alerts", key, title, {"": labels}, "none", NEUTRAL, description, empty_when_good=True, width=width)


def logs(key: str, title: str, lucene: str, description: str, *, width: int = 24) -> Panel:
    """The newest lines that Elasticsearch has of a query."""
    return Panel("logs", key, title, {"": lucene}, "none", NEUTRAL, description, empty_when_good=True, width=width)
