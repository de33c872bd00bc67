#!/usr/bin/python3
# Managed by Ansible, roles log_shipper and log_collector.
"""rsyslog's own figures as metrics: its impstats write lines of JSON to this program, which keeps a file for node-
exporter.

log_stats.py FILE HOP
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path

# What is counted, by rsyslog's word. Of actions alone: no hop has a queue of rsyslog's.
ACTION = {
    "processed": ("trading_log_action_processed_total", "counter", "Messages that an action was given."),
    "failed": ("trading_log_action_failed_total", "counter", "Messages that an action could not do."),
    "suspended": ("trading_log_action_suspended_total", "counter", "Times that an action had to wait for its target."),
}
Figures = dict[tuple[str, str], int]


def taken(line: str, figures: Figures) -> bool:
    """One line of rsyslog's; whether it was one."""
    start = line.find("{")
    try:
        said = json.loads(line[start:]) if start >= 0 else None
    except ValueError:
        said = None
    if not isinstance(said, Mapping):
        return False
    name = re.sub(r"[^a-z0-9_]+", "_", str(said.get("name", "")).lower())
    for word, (metric, _kind, _help) in ACTION.items() if said.get("origin") == "core.action" else ():
        if isinstance(said.get(word), int):
            figures[metric, name] = said[word]
    return True


def text(figures: Figures, hop: str, now: float) -> str:
    lines: list[str] = []
    for metric, kind, about in ACTION.values():
        found = sorted((name, value) for (one, name), value in figures.items() if one == metric)
        if found:
            lines += [f"# HELP {metric} {about}", f"# TYPE {metric} {kind}"]
            lines += [f'{metric}{{hop="{hop}",name="{name}"}} {value}' for name, value in found]
    lines += [
        "# HELP trading_log_stats_timestamp_seconds When rsyslog last told.",
        "# TYPE trading_log_stats_timestamp_seconds gauge",
    ]
    lines += [f'trading_log_stats_timestamp_seconds{{hop="{hop}"}} {now:.0f}']
    return "\n".join(lines) + "\n"


def main() -> int:
    place, hop = Path(sys.argv[1]), sys.argv[2]
    figures: Figures = {}
    written = 0.0
    for line in sys.stdin:
        if taken(line, figures) and time.monotonic() - written > 5 and place.parent.is_dir():  # noqa: PLR2004 - of 15 s
            written = time.monotonic()
            part = place.with_suffix(".part")
            part.write_text(text(figures, hop, time.time()))
            part.chmod(0o644)
            part.replace(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
