"""This host: running its programs, writing its files, one run at a time. Managed by Ansible (role certbot)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

LOCK = Path("/run/trading-certificate.lock")


class Trouble(Exception):  # noqa: N818 - it is one, and reads as one
    """What a person has to read, with what to do next."""


def run(*words: str, seconds: int = 30, given: str = "") -> tuple[int, str]:
    try:
        done = subprocess.run(
            words,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 124, f"no end after {seconds} s"
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout


def place(path: Path, text: str, mode: int) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
    beside.replace(path)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """The timer and a run at the same time: the second waits and finds nothing to do."""
    with LOCK.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
