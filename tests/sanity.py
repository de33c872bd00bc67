# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs `ansible-test sanity` on the collection and ends in one line: N passed, N failed, N skipped.

usage: tests/sanity.py [TEST ...]      the names: ansible-test sanity --list-tests
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

COLLECTION = Path(__file__).resolve().parent.parent / "collections/ansible_collections/trading/platform"
# Tests that call a program which pip cannot bring; without it they are left out by name.
NEEDS = {"pslint": "pwsh", "shellcheck": "shellcheck"}
# ansible-test makes a venv for each test and fetches pip's installer from a server of its own. Python has pip inside.
BOOTSTRAP = Path.home() / ".ansible/test/cache/get_pip_24_2.py"
SHIM = """\
# Put here by trading.platform's tests/sanity.py. Remove it and ansible-test fetches the original again.
import subprocess
import sys

packages = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *packages]))
"""


def absent() -> dict[str, str]:
    """The tests that cannot run on this machine, and the program each lacks."""
    return {test: program for test, program in NEEDS.items() if shutil.which(program) is None}


def failures(output: str) -> list[str]:
    """The tests that ansible-test names as failed in its last lines; none where it stopped half-way."""
    listed = re.search(r"The \d+ sanity test\(s\) listed below \(out of \d+\) failed\..*\n((?:[\w-]+.*\n)+)", output)
    return [line.split(" ")[0] for line in listed.group(1).splitlines()] if listed else []


def main(tests: list[str]) -> int:
    if not BOOTSTRAP.exists():
        BOOTSTRAP.parent.mkdir(parents=True, exist_ok=True)
        BOOTSTRAP.write_text(SHIM)
    left_out = {test: program for test, program in absent().items() if not tests or test in tests}
    for test, program in left_out.items():
        sys.stdout.write(f"skipped: {test} needs {program}, which is not on PATH\n")
    command = ["ansible-test", "sanity", "--color", "no", "--python", f"{sys.version_info[0]}.{sys.version_info[1]}"]
    for test in tests:
        command += ["--test", test]
    for test in left_out:
        command += ["--skip-test", test]
    done = subprocess.run(
        command,
        check=False,
        cwd=COLLECTION,
        env={**os.environ, "PIP_QUIET": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    sys.stdout.write(done.stdout)
    ran = len(re.findall(r'^Running sanity test "', done.stdout, re.MULTILINE))
    failed = max(len(failures(done.stdout)), int(done.returncode != 0))
    sys.stdout.write(f"{max(ran - failed, 0)} passed, {failed} failed, {len(left_out)} skipped\n")
    return int(done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
