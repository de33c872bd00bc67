# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate makes of Prometheus' answers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._metrics.gate import GateError, filled, number, verdict

FAILED: dict[str, Any] = {"name": "failed", "query": 'x{r="$release"}[$window]', "factor": 1, "slack": 0.01}


def vector(*values: str) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "vector", "result": [{"value": [0, one]} for one in values]}}


def test_filled() -> None:
    assert filled(FAILED, "v2-16fd22f5", 60) == 'x{r="v2-16fd22f5"}[60s]'


@pytest.mark.parametrize(
    ("query", "release", "says"),
    [
        ("up[$window]", "v2", r"no \$release"),
        ('up{r="$release"}', "v2", r"no \$window"),
        ("up", "v2", r"no \$release and no \$window"),
        (FAILED["query"], 'v2"} or vector(0) #', "no name of a release"),
        (FAILED["query"], "", "no name of a release"),
    ],
)
def test_what_cannot_be_asked(query: str, release: str, says: str) -> None:
    with pytest.raises(GateError, match=says):
        filled({**FAILED, "query": query}, release, 60)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (vector("0.25"), 0.25),
        ({"status": "success", "data": {"resultType": "scalar", "result": [0, "3"]}}, 3.0),
        (vector(), None),
        (vector("1", "2"), None),
        (vector("NaN"), None),
        (vector("+Inf"), None),
        ({"status": "success", "data": {"resultType": "matrix", "result": [{"values": []}]}}, None),
        ({"status": "error", "errorType": "bad_data", "error": "parse error"}, None),
        ({}, None),
    ],
)
def test_number(answer: dict[str, Any], expected: float | None) -> None:
    assert number(answer) == expected


@pytest.mark.parametrize(
    ("question", "canary", "baseline", "go"),
    [
        ({}, 0.0, 0.0, True),
        ({}, 0.01, 0.0, True),
        ({}, 0.011, 0.0, False),
        # Neither side is worse than the other: the baseline's own trouble is not the canary's.
        ({}, 0.3, 0.3, True),
        ({"factor": 1.5, "slack": 0.1}, 0.29, 0.2, True),
        ({"factor": 1.5, "slack": 0.1}, 0.31, 0.2, False),
        ({"factor": 1.5, "slack": 0}, 0.29, 0.2, True),
        # However bad the baseline.
        ({"at_most": 0.2}, 0.25, 0.3, False),
        ({"at_most": 0.2}, 0.1, 0.1, True),
        ({}, None, 0.0, False),
        ({}, 0.0, None, False),
        ({}, None, None, False),
    ],
)
def test_verdict(question: dict[str, Any], canary: float | None, baseline: float | None, go: bool) -> None:
    told = verdict([{**FAILED, **question}], [canary], [baseline])
    assert told["go"] is go
    assert bool(told["reasons"]) is not go


def test_one_no_is_a_no() -> None:
    told = verdict([FAILED, {**FAILED, "name": "slow"}], [0.0, 0.5], [0.0, 0.1])
    assert told["reasons"] == ["slow: 0.5 for the canary, 0.1 for the baseline; allowed are 0.11."]
    assert len(told["lines"]) == 2
