# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's side of a guarded change: nft, systemd and the files between which a change is pending or committed.

Where things are, and what that means after a crash:

  /etc/trading-firewall/ruleset.nft    what the boot unit loads; written by confirm only
  /var/lib/trading-firewall/commit.json  token, digest and listing of the last confirmed change; written last
  /run/trading-firewall/               the pending change: gone after a reboot, like the timer that guards it
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .plan import Commit, Observed, digest

TABLE = "trading_platform"
ETC = Path("/etc/trading-firewall")
VAR = Path("/var/lib/trading-firewall")
RUN = Path("/run/trading-firewall")
BOOT_FILE = ETC / "ruleset.nft"
COMMIT_FILE = VAR / "commit.json"
CANDIDATE = RUN / "candidate.nft"
PREVIOUS = RUN / "previous.nft"
# Its presence is what "pending" means; it holds the token of the try.
PENDING = RUN / "pending"
LOCK = RUN / "lock"
# The token of the try that was put back last.
REVERTED = RUN / "reverted"
REVERT_SCRIPT = RUN / "revert"

BOOT_UNIT = "trading-firewall.service"
REVERT_UNIT = "trading-firewall-revert"
UNIT_FILE = Path("/etc/systemd/system") / BOOT_UNIT
WANTED_LINK = Path("/etc/systemd/system/sysinit.target.wants") / BOOT_UNIT

# No ExecStop: stopping the unit must not open the host. After nftables.service: should somebody enable it,
# its flush comes first. network-pre.target: no interface comes up before the rules are in place.
UNIT_TEXT = f"""\
# Managed by Ansible (trading.platform.guarded_ruleset).
[Unit]
Description=Packet filter of the trading platform (table inet {TABLE})
DefaultDependencies=no
Wants=network-pre.target
After=local-fs.target nftables.service
Before=network-pre.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ProtectSystem=strict
ProtectHome=yes
ExecStart=/usr/sbin/nft -f {BOOT_FILE}
ExecReload=/usr/sbin/nft -f {BOOT_FILE}

[Install]
WantedBy=sysinit.target
"""

# The lock and the token keep it from undoing a change that was confirmed, or a later one, at the last moment.
REVERT_TEXT = f"""\
#!/bin/sh
set -eu
exec 9>{LOCK}
flock 9
[ "$(cat {PENDING} 2>/dev/null)" = "$1" ] || exit 0
/usr/sbin/nft -f {PREVIOUS}
printf %s "$1" >{REVERTED}
rm -f {PENDING}
echo "Nobody confirmed the change of table inet {TABLE} in time. The previous rules are back."
"""


class FirewallError(Exception):
    """A step on the host that failed, with what to do next."""


def run(*command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def must(what: str, *command: str, stdin: str | None = None) -> str:
    done = run(*command, stdin=stdin)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise FirewallError(f"{what} failed: {' '.join(command)} ended with {done.returncode}: {said}")
    return done.stdout


def nft_present() -> bool:
    return Path("/usr/sbin/nft").exists()


def read(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file in one step, so that a crash or a power cut leaves the old or the new one, never an empty one."""
    made = not path.parent.exists()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w") as stream:
        stream.write(text)
        stream.flush()
        beside.chmod(mode)
        os.fsync(stream.fileno())
    beside.replace(path)
    sync_directory(path.parent)
    if made:
        sync_directory(path.parent.parent)


def sync_directory(path: Path) -> None:
    """A name reaches the disk with its directory, not with its file."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked() -> Iterator[None]:
    """One change at a time: two runs, or a run and the revert, never interleave."""
    RUN.mkdir(mode=0o700, exist_ok=True)
    with LOCK.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def listing() -> str | None:
    """The loaded table without counters, or None. Whatever keeps nft from answering counts as an error."""
    if not nft_present():
        return None
    done = run("nft", "-s", "list", "table", "inet", TABLE)
    if done.returncode == 0:
        return done.stdout
    if "No such file or directory" in done.stderr:
        return None
    raise FirewallError(f"nft cannot list table inet {TABLE}: {done.stderr.strip()}")


def read_commit() -> Commit | None:
    try:
        return Commit(**json.loads(read(COMMIT_FILE) or "null"))
    except (TypeError, ValueError):
        # Absent or damaged: the next confirmed change writes it anew.
        return None


def observe() -> Observed:
    return Observed(read(BOOT_FILE), read_commit(), listing(), boot_unit_ready(), PENDING.exists())


def boot_unit_ready() -> bool:
    return WANTED_LINK.exists() and read(UNIT_FILE) == UNIT_TEXT


def validate(text: str) -> None:
    must("The new ruleset is not valid, nothing was changed. Checking it", "nft", "-c", "-f", "-", stdin=text)


def settle() -> None:
    """Put back what an earlier try left unconfirmed. Call it under the lock.

    The timer is stopped last: if this is killed or nft refuses, the host still reverts by itself.
    """
    if token := read(PENDING):
        must("Putting back an earlier unconfirmed change", "nft", "-f", str(PREVIOUS))
        write(REVERTED, token)
        PENDING.unlink()
    disarm()


def disarm() -> None:
    # Also stops a revert that waits for our lock. A unit that is not there is not an error here.
    run("systemctl", "stop", f"{REVERT_UNIT}.timer", f"{REVERT_UNIT}.service")


def try_ruleset(text: str, live: str | None, token: str, seconds: int) -> None:
    """Arm the revert, then load. In this order there is no moment in which nobody would put the old rules back."""
    previous = f"add table inet {TABLE}\ndelete table inet {TABLE}\n{live or ''}"
    must("The loaded table could not be put back as it is, nothing was changed. Checking it", "nft", "-c", "-f", "-",
         stdin=previous)  # fmt: skip
    write(PREVIOUS, previous)
    write(CANDIDATE, text)
    write(REVERT_SCRIPT, REVERT_TEXT)
    write(PENDING, token)
    try:
        arm(token, seconds)
        must("Loading the new ruleset", "nft", "-f", str(CANDIDATE))
    except FirewallError:
        disarm()
        PENDING.unlink()
        raise


def arm(token: str, seconds: int) -> None:
    # A restart on failure: a host must not stay cut off because one attempt met a busy kernel.
    must(
        "Arming the revert",
        *("systemd-run", "--quiet", "--collect", f"--unit={REVERT_UNIT}", f"--on-active={seconds}s"),
        *("--timer-property=AccuracySec=100ms", "--property=Restart=on-failure", "--property=RestartSec=2s"),
        *("--description=Put the previous packet filter rules back", "/bin/sh", str(REVERT_SCRIPT), token),
    )


def confirm(token: str) -> bool:
    """Keep the pending change for good. False: the host has put the previous rules back already.

    The timer is stopped last: if any step fails or is killed, the host still reverts, and the next run starts afresh.
    """
    commit, pending = read_commit(), read(PENDING)
    if pending is None and read(REVERTED) != token and commit and commit.token == token:
        # The answer to an earlier confirm was lost on its way.
        return True
    if pending != token:
        return False
    text = CANDIDATE.read_text()
    write(BOOT_FILE, text)
    if not boot_unit_ready():
        write(UNIT_FILE, UNIT_TEXT, mode=0o644)
        must("Reading the boot unit", "systemctl", "daemon-reload")
        must("Enabling the boot unit", "systemctl", "--quiet", "enable", BOOT_UNIT)
        sync_directory(WANTED_LINK.parent)
    # Through the unit, so that what happens at boot has been seen to work.
    must("Loading the rules by the boot unit", "systemctl", "restart", BOOT_UNIT)
    write(COMMIT_FILE, json.dumps(Commit(token, digest(text), listing() or "")._asdict(), indent=1))
    PENDING.unlink()
    disarm()
    return True
