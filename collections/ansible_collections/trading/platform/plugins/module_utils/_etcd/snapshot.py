# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots on the host: taken and unpacked by etcd's own programs, checked by their hash, swapped in by renaming."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# bbolt writes whole pages; what a snapshot has beyond is the SHA-256 of them.
PAGE = 512
DIGEST = hashlib.sha256().digest_size
# In the data directory: which cluster it belongs to, read by etcd-guard.
MARK = ".trading-platform-cluster"
# In a data directory that a restore has put there, until the restore is finished.
RESTORING = ".trading-platform-restoring"


class SnapshotError(Exception):
    """What is wrong with a snapshot or with the host, where, and what to do."""


def has_digest(size: int) -> bool:
    """Whether a file of that size ends in a digest, as one that etcd streamed does. A copied database has none."""
    return size > DIGEST and size % PAGE == DIGEST


def restored_token(token: str, digest: str) -> str:
    """A cluster that was restored is another one: a member that kept its old data must not join it."""
    return f"{token}-{digest[:12]}"


@dataclass(frozen=True)
class Place:
    """Where a member's data is, and what it is called while it is not."""

    data: Path

    @property
    def staged(self) -> Path:
        return self.data.with_name(f"{self.data.name}.staged")

    def aside(self, moment: str) -> Path:
        return self.data.with_name(f"{self.data.name}.before-restore-{moment}")


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What a program prints. A password comes by the environment, never among its words."""
    try:
        done = subprocess.run(
            list(command),
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "ETCDCTL_API": "3", **(environment or {})},
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
    except OSError as error:
        raise SnapshotError(f"{command[0]} cannot be run: {error}. Is etcd installed on this host?") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-500:]
        raise SnapshotError(f"{' '.join(command[:3])} failed with exit code {done.returncode}: {said}")
    return done.stdout


def digest(path: Path) -> str:
    """The snapshot's own SHA-256, checked against its content."""
    if not path.is_file():
        raise SnapshotError(f"{path} is not a file. Give the path of a snapshot.")
    size = path.stat().st_size
    if not has_digest(size):
        raise SnapshotError(
            f"{path} has {size} bytes and no hash at its end: it is cut off, or not a snapshot. Take another one."
        )
    counted = hashlib.sha256()
    with path.open("rb") as file:
        left = size - DIGEST
        while left:
            block = file.read(min(left, 1 << 20))
            counted.update(block)
            left -= len(block)
        written = file.read()
    if counted.digest() != written:
        raise SnapshotError(f"{path} does not match the hash at its end: it is damaged. Take another one.")
    return counted.hexdigest()


def facts(path: Path) -> dict[str, Any]:
    """What is in a snapshot."""
    known = json.loads(run(["etcdctl", "snapshot", "status", str(path), "--write-out=json"]))
    return {
        "path": str(path),
        "sha256": digest(path),
        "revision": known["revision"],
        "keys": known["totalKey"],
        "bytes": path.stat().st_size,
    }


def save(path: Path, endpoint: str, files: Mapping[str, str], password: str) -> dict[str, Any]:
    """Takes a snapshot; it has its name only once it is whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    environment = {
        "ETCDCTL_ENDPOINTS": endpoint,
        "ETCDCTL_CACERT": files["ca"],
        "ETCDCTL_USER": f"root:{password}",
    }
    try:
        run(["etcdctl", "snapshot", "save", str(new)], environment)
        new.chmod(0o600)
        known = facts(new)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return {**known, "path": str(path)}


def stage(path: Path, place: Place, name: str, members: Mapping[str, str], token: str) -> bool:
    """Unpacks a snapshot beside the data, while etcd runs on. False where that is done already."""
    found = digest(path)
    if _reads(place.data / RESTORING) == found or _reads(place.staged / RESTORING) == found:
        return False
    shutil.rmtree(place.staged, ignore_errors=True)
    program = "etcdutl" if shutil.which("etcdutl", path="/usr/bin") else "etcdctl"
    cluster = ",".join(f"{each}={url}" for each, url in members.items())
    command = [program, "snapshot", "restore", str(path), "--data-dir", str(place.staged), "--name", name]
    command += ["--initial-cluster", cluster, "--initial-advertise-peer-urls", members[name]]
    run([*command, "--initial-cluster-token", restored_token(token, found)])
    (place.staged / MARK).write_text(f"{token}\n")
    for each in (place.staged, *place.staged.rglob("*")):
        shutil.chown(each, "etcd", "etcd")
    # Last: a directory without it is half unpacked, or not etcd's yet. Only root reads and removes it.
    (place.staged / RESTORING).write_text(found)
    return True


def swap(path: Path, place: Place) -> str:
    """Stops etcd and puts the unpacked data in its place; where the old went, or nothing where that is done already."""
    found = digest(path)
    if _reads(place.data / RESTORING) == found:
        return ""
    if _reads(place.staged / RESTORING) != found:
        raise SnapshotError(f"{place.staged} does not hold this snapshot. Nothing was stopped. Run the restore again.")
    run(["systemctl", "stop", "etcd.service"])
    aside = place.aside(time.strftime("%Y%m%dT%H%M%S", time.gmtime()))
    if place.data.exists():
        place.data.rename(aside)
    place.staged.rename(place.data)
    return str(aside)


def finish(place: Place) -> bool:
    """The restore is over: the next one begins from the start."""
    note = place.data / RESTORING
    if not note.exists():
        return False
    note.unlink()
    return True


def _reads(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
