# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a canary goes on, by questions to Prometheus. Pure: questions and answers come in, a verdict goes out.

A question is {name, query, factor, slack, at_most}. Its query says $release and $window, and is asked of both releases.
The canary's number may be `factor` times the baseline's or `slack` more, whichever is more, and never above `at_most`.
What has no answer, or more than one, is a no.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

PLACES = ("$release", "$window")
# A release's name and a time in seconds: nothing that ends a string or begins another expression.
_SAFE = re.compile(r"[A-Za-z0-9._-]+")


class GateError(ValueError):
    """A question that cannot be asked."""


def filled(question: Mapping[str, Any], release: str, window_s: int) -> str:
    query = str(question["query"])
    lacking = [place for place in PLACES if place not in query]
    if lacking:
        raise GateError(f"{question['name']}: its query says no {' and no '.join(lacking)}: {query}")
    if not _SAFE.fullmatch(release):
        raise GateError(f"no name of a release: {release!r}")
    return query.replace("$release", release).replace("$window", f"{window_s}s")


def number(answer: Mapping[str, Any]) -> float | None:
    """The one number of an instant query; None where there is none, several, or one that is not finite."""
    data = answer.get("data") or {}
    result = data.get("result") or []
    if answer.get("status") != "success":
        return None
    if data.get("resultType") == "scalar":
        value = float(result[1])
    elif data.get("resultType") == "vector" and len(result) == 1:
        value = float(result[0]["value"][1])
    else:
        return None
    return value if math.isfinite(value) else None


def verdict(
    questions: Sequence[Mapping[str, Any]], canary: Sequence[float | None], baseline: Sequence[float | None]
) -> dict[str, Any]:
    """{go, lines, reasons}, as the filter canary_verdict gives them."""
    lines, reasons = [], []
    for question, new, old in zip(questions, canary, baseline, strict=True):
        allowed = None if old is None else _allowed(question, old)
        lines.append(f"{question['name']}: canary {_told(new)}, baseline {_told(old)}, allowed {_told(allowed)}")
        if new is None or allowed is None:
            side = "canary" if new is None else "baseline"
            reasons.append(f"{question['name']}: Prometheus has no number for the {side}, and nothing said is a no.")
        elif new > allowed:
            reasons.append(
                f"{question['name']}: {_told(new)} for the canary, {_told(old)} for the baseline; "
                f"allowed are {_told(allowed)}."
            )
    return {"go": not reasons, "lines": lines, "reasons": reasons}


def _allowed(question: Mapping[str, Any], old: float) -> float:
    allowed = max(old * float(question["factor"]), old + float(question["slack"]))
    ceiling = question.get("at_most")
    return allowed if ceiling is None else min(allowed, float(ceiling))


def _told(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.4g}"
