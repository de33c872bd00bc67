"""Who took over last, by what each site has noted in its repository. Managed by Ansible (role dr)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dr_site_host import OTHER, Settings, Trouble, run
from dr_site_positions import moment

CLAIM = "site.json"
FOLLOWS = Path("/var/lib/trading-platform/dr/follows.json")
MINE = Path("/var/lib/trading-platform/dr/claim.json")
# What repo-get ends with where there is no such file; anything else is a repository that cannot be read.
MISSING = 1
# Seconds for a question to a repository. A start of PostgreSQL waits for it while S3 is away.
PATIENCE = 15


def blocked(mine: Mapping[str, Any], other: Mapping[str, Any], follows: Mapping[str, Any]) -> str:
    """Why PostgreSQL may not run here: the site that took over last leads, and the other one follows it or rests."""
    since = float(other.get("since") or 0)
    if since <= float(mine.get("since") or 0) or since == float(follows.get("since") or 0):
        return ""
    return (
        f"Site {other.get('site')} has taken over at {moment(since)}. PostgreSQL stays stopped here, or two sites would"
        " take writes. playbooks/dr_failback.yml brings this one back as its standby."
    )


def claimed(told: Settings, *config: str) -> dict[str, Any] | None:
    """The claim in a repository; empty where there is none, None where it cannot be read."""
    words = ["pgbackrest", *config, f"--stanza={told.stanza}", "repo-get", "--raw", "--ignore-missing", CLAIM]
    code, out, _ = run(words, patience=PATIENCE)
    if code not in {0, MISSING}:
        return None
    found: dict[str, Any] = json.loads(out) if out.strip() else {}
    return found


def kept(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def keep(path: Path, what: Mapping[str, Any]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(what) + "\n")
    new.chmod(0o644)
    new.replace(path)


def other_claim(told: Settings) -> dict[str, Any]:
    found = claimed(told, OTHER)
    if found is None:
        raise Trouble("The other site's repository cannot be read, so who leads is not known. Bring S3 back first.")
    return found


def check(told: Settings, stop: bool) -> int:
    """Where nobody can say, PostgreSQL may run: an S3 that is away must not stop the site that leads."""
    other = claimed(told, OTHER)
    if other is None:
        sys.stderr.write("The other site's repository does not answer: nothing is known against running here.\n")
        return 0
    mine = {} if not other else claimed(told)
    why = blocked(kept(MINE) if mine is None else mine, other, kept(FOLLOWS))
    if not why:
        return 0
    sys.stderr.write(why + "\n")
    if stop:
        subprocess.run(["systemctl", "stop", "patroni"], check=True)
    return 1


def claim(told: Settings) -> dict[str, Any]:
    since = max(time.time(), float(other_claim(told).get("since") or 0) + 1)
    made = {"site": told.site, "since": since}
    words = ["pgbackrest", f"--stanza={told.stanza}", "repo-put", "--raw", CLAIM]
    code, out, errors = run(words, given=json.dumps(made))
    if code:
        raise Trouble(f"The claim could not be written to this site's repository: {(errors or out).strip()}")
    keep(MINE, made)
    return made | {"lines": [f"site {told.site} leads since {moment(since)}; the other one cannot start as before"]}


def follow(told: Settings) -> dict[str, Any]:
    found = other_claim(told)
    keep(FOLLOWS, found)
    return {"lines": [f"site {told.site} follows {found.get('site') or 'the other site'}"]}
