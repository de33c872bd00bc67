# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service levels: do we keep what we promise, and how much may still go wrong?"""

from __future__ import annotations

from .marks import FAILOVERS, RELEASES
from .panels import Board, alerts, below, least, stat, timeseries

BOARD = Board(
    uid="slo",
    title="Service levels",
    question="Do we keep 99.9 % and 100 ms, and how much may still go wrong this month?",
    reading=(
        "The budget is what may fail in 30 days: one request in a thousand. A burn rate of 1 spends it in "
        "exactly 30 days; 14.4 "
        "spends a fiftieth of it in an hour and pages somebody. With the budget spent, releases wait and faults "
        "come first."
    ),
    marks=(RELEASES, FAILOVERS),
    top=(
        stat(
            "month",
            "Answered well in 30 days: over 99.9 %",
            "min(app:availability:ratio_rate30d{ENV})",
            "percentunit",
            least(0.999, 0.995),
            "Share of all requests of 30 days that got no error of ours. This is the promise.",
            decimals=3,
        ),
        stat(
            "budget",
            "Error budget left: over 25 %",
            "min(app:availability:budget_left_30d{ENV})",
            "percentunit",
            least(0.25, 0),
            "What is left of one in a thousand. At 0 the promise of this month is broken.",
            decimals=0,
        ),
        stat(
            "now",
            "Answered well now: over 99.9 %",
            "min(app:availability:ratio_rate5m{ENV})",
            "percentunit",
            least(0.999, 0.99),
            "The same over five minutes.",
            decimals=3,
        ),
        stat(
            "burn",
            "Burning the budget: under 1 time",
            "max(app:availability:error_ratio_rate1h{ENV}) / 0.001",
            "short",
            below(1, 14.4),
            "How fast the last hour spent it. 1 is what we allow ourselves; 14.4 pages.",
            decimals=1,
        ),
        stat(
            "p95",
            "Time to answer, p95: under 100 ms",
            "max(app:latency:p95_5m{ENV})",
            "s",
            below(0.1, 0.5),
            "19 of 20 requests are faster. 100 ms are promised; AnswersSlow calls at 500 ms.",
        ),
    ),
    body=(
        timeseries(
            "windows",
            "Burn rate by window: all under 1",
            {
                "5 min": "max(app:availability:error_ratio_rate5m{ENV}) / 0.001",
                "1 h": "max(app:availability:error_ratio_rate1h{ENV}) / 0.001",
                "6 h": "max(app:availability:error_ratio_rate6h{ENV}) / 0.001",
                "3 d": "max(app:availability:error_ratio_rate3d{ENV}) / 0.001",
            },
            "short",
            below(1, 14.4),
            "An alert fires when a long window and a short one burn together: it is bad, and it is still going on.",
        ),
        timeseries(
            "left",
            "Budget left: does not reach 0",
            "min(app:availability:budget_left_30d{ENV})",
            "percentunit",
            least(0.25, 0),
            "A step is an incident, a slope is a habit.",
            legend="left",
        ),
        timeseries(
            "quantiles",
            "Time to answer: p95 under 100 ms",
            {
                "p50": "max(app:latency:p50_5m{ENV})",
                "p95": "max(app:latency:p95_5m{ENV})",
                "p99": "max(app:latency:p99_5m{ENV})",
            },
            "s",
            below(0.1, 0.5),
            "Half, 19 of 20 and 99 of 100 are faster than these.",
        ),
        timeseries(
            "hosts",
            "Errors by app host: none stands out",
            "app_instance:availability:error_ratio_rate5m{ENV}",
            "percentunit",
            below(0.001, 0.01),
            "One host with errors can be taken out; both with errors are a release or the database.",
        ),
        alerts(
            "firing",
            "Firing on service levels: none",
            'severity="critical"',
            "Critical alerts, which page somebody.",
            width=24,
        ),
    ),
)
