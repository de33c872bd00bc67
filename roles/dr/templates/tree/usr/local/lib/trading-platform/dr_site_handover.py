"""The last word of a site that is shut down, from its log to the other site's replay. Managed by Ansible (role dr)."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from dr_site_host import OTHER, Settings, Trouble, run
from dr_site_positions import SEGMENT, number, position, segment
from dr_site_replay import catch_up, look

SECRETS, OTHER_SECRETS = Path("/etc/pgbackrest/conf.d/secrets.conf"), Path("/etc/pgbackrest/dr.conf")
HANDOVER = "handover"


def ended(control: str) -> dict[str, Any]:
    """From pg_controldata of a server that does not run."""
    found = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in control.splitlines())}
    if found.get("Database cluster state") == "shut down in recovery":
        return {}
    if found.get("Database cluster state") != "shut down":
        raise Trouble(
            f"PostgreSQL here was not shut down cleanly: its state is {found.get('Database cluster state')!r}. Start"
            " patroni, see that it is well, and run this again."
        )
    timeline, lsn = int(found["Latest checkpoint's TimeLineID"]), found["Latest checkpoint location"]
    # Whoever has replayed the record that begins there is beyond.
    return {"timeline": timeline, "lsn": position(number(lsn) + 1), "segment": segment(timeline, number(lsn))}


def passed(told: Settings, secrets: Path, *words: str, given: bytes | None = None) -> bytes:
    """A file of the repository that is no log and no backup. It is encrypted all the same, with the same passphrase."""
    found = re.search(r"^repo1-cipher-pass=(.*)$", secrets.read_text(), re.MULTILINE)
    environment = {**os.environ, "PGBACKREST_CIPHER_PASS": found[1] if found else ""}
    words = ("pgbackrest", *words[:-2], f"--stanza={told.stanza}", *words[-2:])
    ran = subprocess.run(words, input=given, env=environment, cwd="/", capture_output=True, check=False)
    if ran.returncode:
        said = (ran.stderr or ran.stdout).decode(errors="replace").strip()
        raise Trouble(f"{words[-2]} ended with {ran.returncode}: {said or 'there is no such file'}")
    return ran.stdout


def hand_over(told: Settings) -> dict[str, Any]:
    code, out, errors = run([f"{told.binaries}/pg_controldata", told.data])
    if code:
        raise Trouble(f"pg_controldata: {errors.strip()}")
    facts = ended(out)
    if not facts:
        return {"lines": ["this one only followed"]}
    log = (Path(told.data) / "pg_wal" / facts["segment"]).read_bytes()
    passed(told, SECRETS, "repo-put", HANDOVER, given=log)
    return facts | {"lines": [f"shut down at {facts['lsn']} on timeline {facts['timeline']}"]}


def receive(told: Settings, name: str, lsn: str, timeout: float) -> dict[str, Any]:
    facts = look(told)
    if facts["state"] == "standby" and number(facts["lsn"]) < number(lsn):
        log = passed(told, OTHER_SECRETS, OTHER, "repo-get", HANDOVER)
        if len(log) != SEGMENT:
            raise Trouble(f"The other site's last log has {len(log)} bytes instead of {SEGMENT}: hand it over again.")
        # By another name first: the replay takes it as soon as it is there.
        new = Path(told.data) / "pg_wal" / f"{name}.new"
        new.write_bytes(log)
        new.chmod(0o600)
        new.replace(new.with_suffix(""))
    return catch_up(told, lsn, timeout)
