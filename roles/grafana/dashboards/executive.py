# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Executive overview: how is the business, and is the platform well?"""

from __future__ import annotations

from .marks import FAILOVERS, RELEASES
from .panels import NEUTRAL, Board, below, least, stat, timeseries

BOARD = Board(
    uid="executive",
    title="Executive overview",
    question="Do customers trade, and does the platform keep its promises?",
    reading=(
        "For people who do not run the platform. Green means that what was promised is kept; blue figures have "
        "no good side, "
        "they are the business. Everything red here is explained one dashboard further: Service levels, then "
        "Technical operations."
    ),
    marks=(RELEASES, FAILOVERS),
    top=(
        stat(
            "month",
            "Promise of 99.9 %: kept",
            "min(app:availability:ratio_rate30d{ENV})",
            "percentunit",
            least(0.999, 0.995),
            "Share of requests of the last 30 days that were answered without an error of ours.",
            decimals=3,
        ),
        stat(
            "p95",
            "Customers wait: under 100 ms",
            "max(app:latency:p95_5m{ENV})",
            "s",
            below(0.1, 0.5),
            "19 of 20 requests are answered faster than this.",
        ),
        stat(
            "critical",
            "Urgent faults: 0",
            'sum(env:alerts:firing{ENV,severity="critical"}) or vector(0)',
            "none",
            below(1),
            "Alerts that page somebody, right now.",
        ),
        stat(
            "loss",
            "Lost if the site burned: under 26 h",
            "max(env:backup_age_seconds:min{ENV})",
            "s",
            below(93600, 180000),
            "Age of the newest backup of the schedule that is furthest behind. The archive between backups loses "
            "far less.",
        ),
        stat(
            "users",
            "Watching prices now",
            "sum(app_websockets{ENV})",
            "none",
            NEUTRAL.because("the business has no good side"),
            "Open price streams. The platform is built for 1,000 users at once and more.",
        ),
    ),
    body=(
        timeseries(
            "trades",
            "Trades a minute: the market moves",
            "60 * sum(trading:trades:rate5m{ENV})",
            "none",
            NEUTRAL.because("the business has no good side"),
            "10,000 a minute have to be possible. Zero in trading hours is a fault.",
            legend="trades",
        ),
        timeseries(
            "orders",
            "Orders a minute, by type",
            "60 * sum by (type) (trading:orders:rate5m{ENV})",
            "none",
            NEUTRAL.because("the business has no good side"),
            "What customers want to do; trades are what came of it.",
            legend="{{type}}",
            stacked=True,
        ),
        timeseries(
            "value",
            "Traded value a minute, EUR",
            "60 * sum(rate(app_traded_value_total{ENV}[$__rate_interval]))",
            "currencyEUR",
            NEUTRAL.because("the business has no good side"),
            "Price times quantity of all trades.",
            legend="EUR",
        ),
        timeseries(
            "portfolio",
            "Portfolios: value, and profit over what was paid in",
            {
                "value": "max(app_portfolio_value{ENV})",
                "profit": "max(app_portfolio_value{ENV}) - max(app_paid_in{ENV})",
            },
            "currencyEUR",
            NEUTRAL.because("the business has no good side"),
            "Cash and shares at the last price of all customers, and how much more that is than they paid in.",
            legend="EUR",
        ),
        timeseries(
            "volatility",
            "Market volatility: under 0.8",
            "trading:volatility:realised10m{ENV}",
            "short",
            below(0.8, 1),
            "How much prices moved in ten minutes. Above 0.8 have reserve ready: MarketVolatile.",
            legend="volatility",
        ),
        timeseries(
            "requests",
            "Requests a second, and how many failed",
            {
                "all": "sum(app:http_requests:rate5m{ENV})",
                "failed": "sum(app:http_errors:rate5m{ENV})",
            },
            "reqps",
            NEUTRAL.because("one limit cannot fit lines of different kinds"),
            "What customers ask of the platform.",
        ),
    ),
)
