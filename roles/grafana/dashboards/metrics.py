# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of metrics in a query, and the table of those that exist."""

from __future__ import annotations

import re
from pathlib import Path

TABLE = Path(__file__).with_name("metrics.txt")
# What PromQL itself calls so.
WORDS = """
and or unless by without on ignoring group_left group_right offset bool inf nan
sum avg min max count count_values stddev stdvar topk bottomk quantile group
rate irate increase delta idelta deriv predict_linear histogram_quantile abs ceil floor round clamp clamp_min clamp_max
time timestamp vector scalar absent absent_over_time label_replace label_join sort sort_desc changes resets
avg_over_time min_over_time max_over_time sum_over_time count_over_time quantile_over_time last_over_time
"""
STRINGS = re.compile(r'"[^"]*"')
LABELS = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
# Not the e of 5e8.
NAME = re.compile(r"(?<![\w.])[A-Za-z_:][A-Za-z0-9_:]*")


def names(expression: str) -> set[str]:
    """The metrics and recording rules that a query reads."""
    bare = LABELS.sub(" ", STRINGS.sub(" ", expression))
    return {word for word in NAME.findall(bare) if word.lower() not in WORDS.split()}


def known() -> set[str]:
    """What exporters and rules give, of which series a histogram has included."""
    lines = (line.split("#")[0].strip() for line in TABLE.read_text().splitlines())
    return {line for line in lines if line}
