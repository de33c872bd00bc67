"""What came of each schedule's last run, for people and for metrics. Managed by Ansible (role backup)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backup_host import Settings, remembered, written

RESULTS = Path("/var/lib/trading-platform/backup/results")


def metrics(results: Sequence[Mapping[str, Any]]) -> str:
    """For node-exporter's textfile collector."""
    kinds = {
        "last_end_timestamp_seconds": "end",
        "last_success_timestamp_seconds": "last_success",
        "duration_seconds": "seconds",
        "size_bytes": "size",
        "ok": "ok",
    }
    lines = [
        f'trading_backup_{metric}{{schedule="{result["schedule"]}"}} {float(result[key])}'
        for metric, key in kinds.items()
        for result in results
        if result.get(key) is not None
    ]
    return "".join(line + "\n" for line in lines)


def note(told: Settings, result: dict[str, Any]) -> None:
    """For people and for metrics: what came of the last run of each schedule on this host."""
    place = RESULTS / f"{result['schedule']}.json"
    result["last_success"] = result["end"] if result["ok"] else remembered(place).get("last_success")
    written(place, json.dumps(result, indent=1) + "\n")
    # A schedule that is no more would be overdue, or have failed, for ever.
    written(Path(told.metrics), metrics([remembered(RESULTS / f"{name}.json") for name in sorted(told.types)]))
