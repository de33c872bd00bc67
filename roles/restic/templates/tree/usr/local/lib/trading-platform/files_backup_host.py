"""This host: calling a program, writing a file, one run at a time. Managed by Ansible (role restic)."""

from __future__ import annotations

import fcntl
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LOCK = Path("/run/trading-files-backup.lock")
# Seconds that one waits for another here.
PATIENCE = 3600
# What restic says to its programmers, and of each new try.
NOISE = re.compile(r"\t|github\.com/|golang\.org/|runtime\.|.* returned error, retrying")


class Trouble(Exception):  # noqa: N818 - it is one, and reads as one
    """What a person has to read, with what to do next."""


def called(words: Sequence[str], environment: Mapping[str, str], patience: float | None = None) -> tuple[str, str]:
    """What a program says, and what it warns of. Secrets come by the environment, never among the words."""
    path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    try:
        ran = subprocess.run(
            words, env={**path, **environment}, capture_output=True, text=True, check=False, timeout=patience
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise Trouble(f"{words[0]}: {problem}") from None
    told = [line for line in ran.stderr.splitlines() if not NOISE.match(line)]
    if ran.returncode:
        said = "\n".join(told[:8] or ran.stdout.splitlines()[-8:])
        raise Trouble(f"{Path(words[0]).name} ended with {ran.returncode}: {said}")
    return ran.stdout, "".join(f"{line}\n" for line in told)


@contextmanager
def alone() -> Iterator[None]:
    """One at a time on this host, to which the repository belongs."""
    with LOCK.open("w") as lock:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Trouble(f"Another run on this host has taken more than {PATIENCE} s: see ps.") from None
                time.sleep(1)
        yield


def written(path: Path, text: str) -> None:
    """By another name first: whoever reads it sees the old or the new one."""
    if path.parent.is_dir():
        new = path.with_name(f".{path.name}.new")
        new.write_text(text)
        new.chmod(0o644)
        new.replace(path)
