"""What a run does in the repository, step by step. Managed by Ansible (role restic)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from files_backup_host import Trouble, called
from files_backup_restic import FIRST_ANSWER, Settings, restic, unmade
from files_backup_results import RESULTS

# Seconds that a set's own command has.
COMMAND = 900


def ready(told: Settings) -> None:
    """Makes the repository where there has never been one, and clears the locks of runs that were killed."""
    seen = RESULTS / "repository"
    known = seen.read_text() if seen.exists() else ""
    try:
        restic(told, "cat", "config", patience=FIRST_ANSWER)
    except Trouble as trouble:
        if not unmade(str(trouble)):
            raise
        if known == told.environment["RESTIC_REPOSITORY"]:
            raise Trouble(f"{known} is gone. Find out why; without {seen} the next run begins anew.") from None
        restic(told, "init")
    seen.write_text(told.environment["RESTIC_REPOSITORY"])
    restic(told, "unlock")


def copied(told: Settings, one: Mapping[str, Any]) -> Mapping[str, Any]:
    if one.get("command"):
        called(one["command"], one.get("environment") or {}, COMMAND)
    # restic itself is content with less.
    missing = [path for path in one["paths"] if not Path(path).exists()]
    if missing:
        raise Trouble(f"{', '.join(missing)} is not there: nothing of the set {one['name']} was copied.")
    exclude = [f"--exclude={pattern}" for pattern in one.get("exclude") or []]
    # Forced: else a damaged older copy would keep it from making a new one.
    words = ["--json", "--force", "--host", told.host, "--tag", one["name"], *exclude, "--", *one["paths"]]
    said = restic(told, "backup", *words)
    made = json.loads(said.splitlines()[-1])
    return {"snapshot": made["snapshot_id"], "size": made["total_bytes_processed"], "added": made["data_added"]}


def thinned(told: Settings) -> Mapping[str, Any]:
    restic(told, "forget", "--host", told.host, "--group-by", "host,tags", *told.keep, "--prune")
    return {}


def verified(told: Settings) -> Mapping[str, Any]:
    restic(told, "check", "--read-data")
    return {}
