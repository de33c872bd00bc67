"""Draws each dashboard with what the fleet's Prometheus has: no Grafana can be had here, and somebody has to look.

usage: PYTHONPATH=molecule/shared FLEET_INVENTORY=INVENTORY python molecule/shared/pictures.py DIRECTORY [MINUTES]

Writes DIRECTORY/UID.html: places, titles, units, limits and colours are those of the dashboard's file. To look at one:
  chromium --headless --no-sandbox --window-size=1480,1400 --screenshot=edge.png DIRECTORY/edge.html
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import watch
from fleet import ROOT

DASHBOARDS = ROOT / "roles/grafana/files/dashboards"
COLUMN, ROW = 60, 34
POINTS = 120
COLOURS = {"green": "#37872d", "orange": "#fa6400", "red": "#c4162a", "blue": "#1f60c4", "yellow": "#e0b400"}
LINES = ("#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0", "#508642", "#cca300")
STYLE = """body{background:#f4f5f5;font:13px sans-serif;margin:8px}
.p{position:absolute;background:#fff;border:1px solid #ddd;overflow:hidden;padding:4px 8px;box-sizing:border-box}
.t{font-weight:600;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.l{font-size:11px;line-height:14px}
.v{display:inline-block;padding:2px 10px;font-size:26px;font-weight:600}.v small{display:block;font-size:11px}
td,th{border-bottom:1px solid #eee;text-align:left;padding:1px 8px 1px 0;font-size:12px;white-space:nowrap}"""
Series = tuple[str, list[tuple[float, float]]]
SCALES = {"bytes": (1024.0, ("B", "KiB", "MiB", "GiB", "TiB")), "short": (1000.0, ("", " K", " M", " G", " T"))}
SUFFIXES = {"reqps": " req/s", "ops": " ops/s", "Bps": " B/s", "currencyEUR": " €", "d": " d"}


def shown(value: float, unit: str | None) -> str:
    """As Grafana would write it, near enough."""
    if value != value:  # noqa: PLR0124 - not a number
        return "NaN"
    if unit == "percentunit":
        return f"{value * 100:.4g} %"
    if unit == "s":
        for size, word in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
            if abs(value) >= size:
                return f"{value / size:.3g} {word}"
        return f"{value * 1000:.3g} ms"
    base, words = SCALES.get(unit or "", SCALES["short"] if unit != "none" else (float("inf"), ("",)))
    step = 0
    while abs(value) >= base and step < len(words) - 1:
        value, step = value / base, step + 1
    return f"{value:.4g}{words[step]}{SUFFIXES.get(unit or '', '')}"


def colour(value: float, steps: Sequence[Mapping[str, Any]]) -> str:
    name = "blue"
    for step in steps:
        if step["value"] is None or value >= step["value"]:
            name = step["color"]
    return COLOURS.get(name, name)


def legend(pattern: str, labels: Mapping[str, str]) -> str:
    if not pattern:
        return ", ".join(f"{key}={value}" for key, value in labels.items() if key not in ("__name__", "env"))
    for key, value in labels.items():
        pattern = pattern.replace("{{" + key + "}}", value)
    return pattern


def series(answers: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Series]:
    found: list[Series] = []
    for pattern, answer in answers:
        for one in answer.get("data", {}).get("result", ()):
            values = one.get("values") or [one["value"]]
            found.append((legend(pattern, one["metric"]), [(float(at), float(value)) for at, value in values]))
    return found


def lines(found: list[Series], unit: str | None, steps: Sequence[Mapping[str, Any]], size: tuple[int, int]) -> str:
    """A picture of lines, their limits dashed, their names below."""
    names = "".join(
        f'<span class="l" style="color:{LINES[n % len(LINES)]}">&#9632; {escape(name)} </span>'
        for n, (name, _points) in enumerate(found[:12])
    )
    width, height = size[0] - 20, size[1] - 58
    limits = [step["value"] for step in steps if step["value"] is not None]
    values = [value for _name, points in found for _at, value in points if value == value]  # noqa: PLR0124
    top = max([*values, *(limit for limit in limits if values and limit < 3 * max(values, default=0))], default=1) or 1
    low = min([*values, 0.0])
    ends = [at for _name, points in found for at, _value in points]
    first, last = min(ends, default=0.0), max(ends, default=1.0)

    def x(at: float) -> float:
        return 60 + (width - 60) * (at - first) / ((last - first) or 1)

    def y(value: float) -> float:
        return height - 6 - (height - 12) * (value - low) / ((top - low) or 1)

    drawn = [
        f'<line x1="60" x2="{width}" y1="{y(at):.0f}" y2="{y(at):.0f}" stroke="#eee"/>'
        f'<text x="0" y="{y(at) + 4:.0f}" font-size="10">{escape(shown(at, unit))}</text>'
        for at in (low, (low + top) / 2, top)
    ]
    drawn += [
        f'<line x1="60" x2="{width}" y1="{y(at):.0f}" y2="{y(at):.0f}" stroke="red" stroke-dasharray="5"/>'
        for at in limits
        if low <= at <= top
    ]
    for number, (_name, points) in enumerate(found):
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points if value == value)  # noqa: PLR0124
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{LINES[number % len(LINES)]}"/>')
    return f'<svg width="{width}" height="{height}">{"".join(drawn)}</svg><div>{names}</div>'


def hidden(panel: Mapping[str, Any]) -> set[str]:
    """Labels that the dashboard's file leaves out of a table."""
    options = (one.get("options", {}) for one in panel.get("transformations", ()))
    return {name for one in options for name, is_hidden in one.get("excludeByName", {}).items() if is_hidden}


def table(answers: Iterable[tuple[str, Mapping[str, Any]]], unit: str | None, left_out: set[str]) -> str:
    rows = [one for _pattern, answer in answers for one in answer.get("data", {}).get("result", ())]
    heads = sorted({key for one in rows for key in one["metric"] if key not in left_out})
    text = "".join(f"<th>{escape(head)}</th>" for head in [*heads, "Value"])
    for one in rows[:20]:
        cells = [one["metric"].get(head, "") for head in heads] + [shown(float(one["value"][1]), unit)]
        text += "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
    return f"<table>{text}</table>"


def body(panel: Mapping[str, Any], answers: list[tuple[str, Mapping[str, Any]]], size: tuple[int, int]) -> str:
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    unit, steps = defaults.get("unit"), defaults.get("thresholds", {}).get("steps", ())
    errors = [str(answer["error"]) for _pattern, answer in answers if "error" in answer]
    if errors:
        return f'<b style="color:red">{escape("; ".join(errors))}</b>'
    if panel["type"] not in ("stat", "table", "timeseries"):
        return f"<i>{escape(panel['type'])}: not of Prometheus</i>"
    found = series(answers)
    if not found:
        return escape(str(defaults.get("noValue") or "no data"))
    if panel["type"] == "timeseries":
        return lines(found, unit, steps, size)
    if panel["type"] == "table":
        return table(answers, unit, hidden(panel))
    return "".join(
        f'<span class="v" style="color:{colour(points[-1][1], steps)}">{escape(shown(points[-1][1], unit))}'
        f"<small>{escape(name)}</small></span>"
        for name, points in found
    )


def page(board: Mapping[str, Any], told: Mapping[str, list[tuple[str, Mapping[str, Any]]]]) -> str:
    parts = [f"<style>{STYLE}</style><h3>{escape(board['title'])}</h3>"]
    for panel in board["panels"]:
        grid = panel["gridPos"]
        size = grid["w"] * COLUMN - 6, grid["h"] * ROW - 6
        place = f"left:{grid['x'] * COLUMN + 8}px;top:{grid['y'] * ROW + 50}px;width:{size[0]}px;height:{size[1]}px"
        inner = body(panel, told.get(panel["title"], []), size)
        parts.append(f'<div class="p" style="{place}"><div class="t">{escape(panel["title"])}</div>{inner}</div>')
    return "".join(parts)


def main() -> None:
    directory, minutes = Path(sys.argv[1]), int((sys.argv[2:] or ["60"])[0])
    directory.mkdir(parents=True, exist_ok=True)
    asked = [one for one in watch.queries() if one["source"] == "prometheus"]
    now = time.time()
    over = f"&start={now - minutes * 60:.0f}&end={now:.0f}&step={minutes * 60 / POINTS:.0f}"
    told: dict[str, dict[str, list[tuple[str, Mapping[str, Any]]]]] = {}
    for instant in (True, False):
        mine = [one for one in asked if one["instant"] is instant]
        for one, answer in zip(mine, watch.answers([m["expr"] for m in mine], "" if instant else over), strict=True):
            told.setdefault(one["dashboard"], {}).setdefault(one["title"], []).append((one["legend"], answer))
    for file in sorted(DASHBOARDS.glob("*.json")):
        board = json.loads(file.read_text(encoding="utf-8"))
        (directory / f"{file.stem}.html").write_text(page(board, told.get(board["uid"], {})), encoding="utf-8")
        sys.stdout.write(f"{directory / file.stem}.html\n")


if __name__ == "__main__":
    main()
