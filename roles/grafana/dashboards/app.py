# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""App and releases: do requests get their answers, and which release gives them?"""

from __future__ import annotations

from .marks import FAILOVERS, RELEASES
from .panels import NEUTRAL, Board, below, exactly, stat, table, timeseries

BOARD = Board(
    uid="app",
    title="App and releases",
    question="Does the release that is live answer well, on every host?",
    reading=(
        "Purple lines are releases: a change that begins at one is that release's. Compare error share and p95 "
        "before and after "
        "it; where the new one is worse, playbooks/rollback.yml brings the old one back. Routes that are slow in "
        "all releases "
        "point at the database."
    ),
    hosts="app_build_info{ENV}",
    marks=(RELEASES, FAILOVERS),
    top=(
        stat(
            "errors",
            "Answers 5xx: under 0.1 %",
            "max(app:availability:error_ratio_rate5m{ENV})",
            "percentunit",
            below(0.001, 0.01),
            "Share of requests that got an error of ours, counted in front of the containers. 1 % pages somebody.",
            decimals=2,
        ),
        stat(
            "latency",
            "Time to answer, p95: under 100 ms",
            "max(app:latency:p95_5m{ENV})",
            "s",
            below(0.1, 0.5),
            "19 of 20 requests are answered faster. 100 ms are promised; AnswersSlow calls at 500 ms.",
        ),
        stat(
            "rate",
            "Requests a second, as usual",
            "sum(app:http_requests:rate5m{ENV})",
            "reqps",
            NEUTRAL.because("load has no good side: what it does to answers has its own panel"),
            "All services together. At 50 a second for each container of the API one more is due.",
            decimals=1,
        ),
        stat(
            "containers",
            "Containers that do not answer: 0",
            "sum(app_scrape_failed{ENV})",
            "none",
            below(1),
            "Containers whose metrics cannot be read. In the minutes of a release one may be on its way out.",
        ),
        stat(
            "releases",
            "Releases at once: 1",
            "count(count by (release) (app_build_info{ENV}))",
            "none",
            exactly(1),
            "More than one during a canary or a rolling release, and only then.",
        ),
    ),
    body=(
        timeseries(
            "status",
            "Answers by status: 5xx none",
            "sum by (status) (rate(app_requests_total{HERE}[$__rate_interval]))",
            "reqps",
            NEUTRAL.because("one limit cannot fit lines of different kinds"),
            "What clients get. 4xx are theirs, 5xx are ours.",
            legend="{{status}}",
            stacked=True,
        ),
        timeseries(
            "p95",
            "Time to answer, p95 by host: under 100 ms",
            {
                "{{instance}} p95": (
                    "histogram_quantile(0.95, sum by (instance, le) "
                    "(rate(app_request_seconds_bucket{HERE}[$__rate_interval])))"
                ),
                "{{instance}} p50": (
                    "histogram_quantile(0.50, sum by (instance, le) "
                    "(rate(app_request_seconds_bucket{HERE}[$__rate_interval])))"
                ),
            },
            "s",
            below(0.1, 0.5),
            "One slow host is that host's; all of them slow at once is the database or the release.",
        ),
        timeseries(
            "routes",
            "Slowest routes, p95: under 100 ms",
            "topk(8, histogram_quantile(0.95, sum by (route, le) "
            "(rate(app_request_seconds_bucket{HERE}[$__rate_interval]))))",
            "s",
            below(0.1, 0.5),
            "The eight routes that take longest.",
            legend="{{route}}",
        ),
        timeseries(
            "failing",
            "Routes with 5xx: none",
            'sum by (route) (rate(app_requests_total{HERE,status=~"5.."}[$__rate_interval])) > 0',
            "reqps",
            below(0.01, 1),
            "Which routes fail. Empty is well.",
            legend="{{route}}",
            empty_when_good=True,
        ),
        timeseries(
            "orders",
            "Orders and trades a second, as usual",
            {
                "orders {{type}}": "sum by (type) (rate(app_orders_total{ENV}[$__rate_interval]))",
                "trades": "sum(rate(app_trades_total{ENV}[$__rate_interval]))",
            },
            "ops",
            NEUTRAL.because("the business has no good side"),
            "What the market does. Zero in trading hours with requests coming in is a fault that no error shows.",
        ),
        timeseries(
            "sockets",
            "Open price streams, steady",
            "sum by (instance) (app_websockets{HERE})",
            "none",
            NEUTRAL.because("good is what it was before, whatever that is: PriceStreamsLost compares"),
            "A step down is a host that was taken out or a release; it should come back on the others within seconds.",
        ),
        table(
            "which",
            "Which release runs where",
            "count by (release, version, service, set, instance) (app_build_info{ENV})",
            "none",
            NEUTRAL.because("the figure only counts what the other columns name"),
            "One line for each container.",
            legend="Containers",
            width=24,
        ),
    ),
)
