#!/usr/bin/env python3
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs the stand-ins beside it into an apt repository of their own, and prints its directory.

usage: molecule/shared/standins/build.py
Named by a hash of all that goes in: a change makes a new one, and nothing changed costs nothing. Each directory is a
package: control and postinst as dpkg has them, and files.json, which says where each of the others goes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[2] / ".cache/standins"


def sources() -> list[Path]:
    found = (path for path in HERE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path for path in found if path.suffix != ".md")


def digest() -> str:
    total = hashlib.sha256()
    for path in sources():
        total.update(f"{path.relative_to(HERE)}\0".encode() + path.read_bytes())
    return total.hexdigest()[:12]


def packed(package: Path, target: Path) -> str:
    """The .deb of one directory; returns its lines of the index."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / "DEBIAN").mkdir()
        shutil.copy(package / "control", root / "DEBIAN/control")
        shutil.copy(package / "postinst", root / "DEBIAN/postinst")
        (root / "DEBIAN/postinst").chmod(0o755)
        for name, one in json.loads((package / "files.json").read_text()).items():
            path = root / one["to"]
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(package / name, path)
            path.chmod(int(one["mode"], 8))
        root.chmod(0o755)
        for path in root.rglob("*"):
            if path.is_dir():
                path.chmod(0o755)
        control = (package / "control").read_text()
        name = next(line.split()[1] for line in control.splitlines() if line.startswith("Package:"))
        deb = target / f"{name}.deb"
        words = ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(root), str(deb)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    sha256 = hashlib.sha256(deb.read_bytes()).hexdigest()
    return f"{control.rstrip()}\nFilename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {sha256}\n"


def main() -> int:
    made = CACHE / digest()
    if not (made / "Packages").exists():
        made.mkdir(parents=True, exist_ok=True)
        index = [packed(path.parent, made) for path in sorted(HERE.glob("*/control"))]
        # Last: a directory with an index is whole.
        (made / "Packages").write_text("\n".join(index))
        for other in CACHE.iterdir():
            if other != made:
                shutil.rmtree(other)
        sys.stderr.write(f"build: made {made}\n")
    sys.stdout.write(f"{made}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
