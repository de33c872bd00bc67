"""What bin/setup, bin/up, bin/down and bin/test refuse: a clear word, an exit code, and nothing touched.

They run on a copy of the few files that they read, as nobody where the tests are root, with programs that must not be
reached (apt-get, sudo, docker) replaced on PATH: no machine is changed by a refusal that is broken.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
AS_NOBODY = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
COPIED = ["bin/setup", "bin/up", "bin/down", "bin/test", "requirements.lock", "molecule/default/molecule.yml"]
REACHED = "REACHED: "
SHIMS = {
    # A user without sudo, whoever runs the tests; and nothing gets past it.
    "sudo": "exit 1",
    "apt-get": f'echo "{REACHED}apt-get $*"; exit 1',
    "python3": f'echo "{REACHED}python3 $*"; exit 1',
    "dpkg-query": "printf installed",
    "docker": "echo 'Cannot connect to the Docker daemon' >&2; exit 1",
}
NOTHING_INSTALLED = {"dpkg-query": "exit 1"}
SOMEBODY_ELSES_DOCKER = {"docker": "echo 'ERROR: Got permission denied while trying to connect' >&2; exit 1"}


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A checkout that is set up: not in tmp_path, which is closed to nobody."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "checkout"
        for copied in COPIED:
            (place / copied).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / copied, place / copied)
        (place / ".venv/bin").mkdir(parents=True)
        for tool in ("promtool", "amtool"):
            (place / ".venv/bin" / tool).touch(mode=0o755)
        shutil.copy(ROOT / "requirements.lock", place / ".venv/made-from")
        Path(name).chmod(0o755)
        if os.geteuid() == 0:
            for path in [place, *place.rglob("*")]:
                os.chown(path, NOBODY, NOBODY)
        yield place


def refused(checkout: Path, command: str, shims: dict[str, str], **environment: str) -> tuple[int, str]:
    """Exit code and output of a command in the checkout, as a user without root or sudo. Nothing in it may change."""
    programs = checkout.parent / "programs"
    programs.mkdir()
    for name, body in {**SHIMS, **shims}.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    before = contents(checkout)
    inherited = {key: value for key, value in os.environ.items() if key not in {"DOCKER_HOST", "SETUP_DISK_GB"}}
    ran = subprocess.run(
        [*(AS_NOBODY if os.geteuid() == 0 else []), *command.split()],
        cwd=checkout,
        env={**inherited, "PATH": f"{programs}:{os.environ['PATH']}", "SETUP_DISK_GB": "0", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20,
        check=False,
    )
    assert contents(checkout) == before
    assert REACHED not in ran.stdout, ran.stdout
    return ran.returncode, ran.stdout


def contents(place: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class Refusal:
    command: str
    code: int
    words: list[str]
    shims: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


REFUSALS = {
    "packages are missing, no root and no sudo": Refusal(
        "bin/up",
        1,
        ["installing debian-archive-keyring git mmdebstrap", "needs root", "Run this as root or as a user with sudo"],
        NOTHING_INSTALLED,
    ),
    "all is installed, the engine is closed to this user": Refusal(
        "bin/up", 1, ["reaching the Docker engine needs root", "usermod -aG docker"]
    ),
    "the engine asked for is not there: none is installed beside it": Refusal(
        "bin/up",
        1,
        ["no Docker engine answers at DOCKER_HOST=tcp://127.0.0.1:1"],
        environment={"DOCKER_HOST": "tcp://127.0.0.1:1"},
    ),
    "no disk space, said before root is asked for": Refusal(
        "bin/up",
        1,
        ["GB free, 100000 GB are needed", "Free some space"],
        NOTHING_INSTALLED,
        {"SETUP_DISK_GB": "100000"},
    ),
    "bin/up, an argument": Refusal("bin/up --fleet", 2, ["unknown argument --fleet"]),
    "bin/setup, unknown argument": Refusal("bin/setup --no-flet", 2, ["unknown argument --no-flet"]),
    "bin/down, unknown option": Refusal("bin/down --all", 2, ["unknown option --all", "usage:"]),
    "bin/down, a path": Refusal("bin/down ../bin", 2, ["'../bin' is no fleet's name"]),
    "bin/down, somebody else's engine": Refusal(
        "bin/down", 1, ["may not talk to the Docker engine", "nothing was removed"], SOMEBODY_ELSES_DOCKER
    ),
    "bin/test, unknown scenario": Refusal("bin/test nosuch", 2, ["no scenario nosuch; there are default"]),
    "bin/test, unknown option": Refusal("bin/test --quick", 2, ["unknown option --quick"]),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(checkout: Path, name: str) -> None:
    case = REFUSALS[name]
    ended, output = refused(checkout, case.command, case.shims, **case.environment)
    assert ended == case.code, output
    for word in case.words:
        assert word in output


@pytest.mark.parametrize("closed", [".", ".venv"])
def test_a_checkout_of_somebody_else(checkout: Path, closed: str) -> None:
    if os.geteuid() == 0:
        os.chown(checkout / closed, 0, 0)
    (checkout / closed).chmod(0o555)
    ended, output = refused(checkout, "bin/up", NOTHING_INSTALLED)
    (checkout / closed).chmod(0o755)
    assert ended == 1, output
    assert f"cannot write to {(checkout / closed).resolve()}" in output
    assert "Clone the repository as this user" in output
