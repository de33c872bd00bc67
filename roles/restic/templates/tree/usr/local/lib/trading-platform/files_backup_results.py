"""What came of each set's last run, for people and for metrics. Managed by Ansible (role restic)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from files_backup_host import written
from files_backup_restic import Settings

RESULTS = Path("/var/lib/trading-platform/files-backup")


def metrics(results: Sequence[Mapping[str, Any]]) -> str:
    """For node-exporter's textfile collector."""
    kinds = {
        "last_end_timestamp_seconds": "end",
        "last_success_timestamp_seconds": "last_success",
        "duration_seconds": "seconds",
        "size_bytes": "size",
        "added_bytes": "added",
        "ok": "ok",
    }
    return "".join(
        f'trading_files_backup_{metric}{{set="{result["set"]}"}} {float(result[key])}\n'
        for metric, key in kinds.items()
        for result in results
        if result.get(key) is not None
    )


def remembered(name: str) -> dict[str, Any]:
    """Nothing where it is not there, or was cut off as the host went down."""
    try:
        found = json.loads((RESULTS / f"{name}.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def note(told: Settings, result: dict[str, Any]) -> None:
    """For people and for metrics: what came of the last run of each set."""
    end = time.time()
    result |= {"end": end, "seconds": round(end - result["start"], 1)}
    result["when"] = datetime.fromtimestamp(end, UTC).isoformat(timespec="seconds")
    result["last_success"] = end if result["ok"] else remembered(result["set"]).get("last_success")
    written(RESULTS / f"{result['set']}.json", json.dumps(result, indent=1) + "\n")
    names = [*(one["name"] for one in told.sets), "retention", "verify"]
    written(Path(told.metrics), metrics([remembered(name) for name in names]))
