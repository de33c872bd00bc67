"""What each benchmark is held to, and the table that says so. An aim is no bar; a figure without one is only told."""

from __future__ import annotations

import re
from typing import Literal

Bar = tuple[Literal["at most", "at least"], float]

BARS: dict[str, dict[str, Bar]] = {
    "alerts": {
        "rules": ("at least", 70),
        "rules_untested": ("at most", 0),
        "caused": ("at least", 15),
        "not_called": ("at most", 0),
        "not_cleared": ("at most", 0),
        "notify_5xx_s": ("at most", 60),
        "notify_primary_down_s": ("at most", 30),
        "panel_queries_failed": ("at most", 0),
    },
    "backup": {"ratio": ("at most", 1.05)},
    "config_tree": {"ratio": ("at least", 10)},
    "dbproxy": {
        "select_ratio": ("at least", 0.8),
        "tpcb_ratio": ("at least", 0.8),
        "clients_held": ("at least", 500),
        "server_connections": ("at most", 50),
    },
    "drill": {"p95_ratio": ("at most", 1.2)},
    "edge": {
        "ratio": ("at least", 0.9),
        "trades_per_min": ("at least", 10_000),
        "trades_p95_ms": ("at most", 100),
    },
    "failover": {
        "switchover_gap_s": ("at most", 2),
        "postmaster_gap_s": ("at most", 10),
        "host_gap_s": ("at most", 20),
        "switchover_failed": ("at most", 0),
        "lost_rows": ("at most", 0),
        # The load under which the others count.
        "commits_per_s": ("at least", 300),
    },
    "logs": {
        "per_s": ("at least", 2000),
        "lost": ("at most", 0),
        "doubled": ("at most", 0),
        "p95_ratio": ("at most", 1.05),
    },
    "memory": {"fleet_mb": ("at most", 8192)},
    # For eight hosts.
    "noop": {"wall_s": ("at most", 20), "hosts": ("at least", 8), "changed": ("at most", 0)},
    "progress": {"plain_added_pct": ("at most", 2), "live_added_pct": ("at most", 2)},
    "release": {
        "failed_requests": ("at most", 0),
        "ws_reconnect_s": ("at most", 2),
        "release_ratio": ("at most", 1.5),
    },
    "restore": {
        "rto_s": ("at most", 15 * 60),
        "rpo_s": ("at most", 60),
        "lost_rows_unnamed": ("at most", 0),
    },
}
HEAD = "| figure | value | bar |\n|---|---|---|\n"
TABLE = re.compile(f"^{re.escape(HEAD)}" + r"((?:\|.*\n)+)", re.MULTILINE)
ROW = re.compile(r"^\| (\w+) \| (\S+) \|", re.MULTILINE)


def met(bar: Bar, value: float) -> bool:
    """What is no number meets none."""
    side, limit = bar
    return value <= limit if side == "at most" else value >= limit


def told(bar: Bar) -> str:
    return f"{'≤' if bar[0] == 'at most' else '≥'} {bar[1]:g}"


def missed(name: str, figures: dict[str, float]) -> list[str]:
    """A line for each; a figure that was not measured has missed its bar."""
    return [
        f"{name}: {figure} is {f'{figures[figure]:g}' if figure in figures else 'not measured'}, its bar {told(bar)}"
        for figure, bar in BARS.get(name, {}).items()
        if figure not in figures or not met(bar, figures[figure])
    ]


def table(name: str, figures: dict[str, float]) -> str:
    bars = BARS.get(name, {})

    def cell(figure: str, value: float) -> str:
        bar = bars.get(figure)
        return f" {told(bar)}{'' if met(bar, value) else ', missed'} " if bar else " "

    return HEAD + "".join(f"| {figure} | {value:g} |{cell(figure, value)}|\n" for figure, value in figures.items())


def recorded(section: str) -> dict[str, float]:
    """The figures of a section of docs/benchmarks.md."""
    found = TABLE.search(section)
    return {figure: float(value) for figure, value in ROW.findall(found[1])} if found else {}


def judged(name: str, section: str) -> str:
    """What an earlier run has left, by the bars of today."""
    return TABLE.sub(table(name, recorded(section)), section)
