# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""That an inventory has passed, kept on the controller: an operation does not wait for the same answer again."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

# What the inventory reads outside of its files, as from the environment, may have changed by then.
HOURS = 12


def fingerprint(trees: Iterable[str | Path], *others: object) -> str:
    """Of each file's name, size and times, and of what else decides. Nothing is read."""
    found = hashlib.sha256(json.dumps(others, default=str, sort_keys=True).encode())
    for tree in trees:
        for path in _files(Path(tree)):
            with suppress(OSError):
                stat = path.stat()
                found.update(f"{path} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}\n".encode())
    return found.hexdigest()


def _files(tree: Path) -> Iterator[Path]:
    if tree.is_file():
        yield tree
    for folder, folders, files in os.walk(tree, followlinks=True):
        folders[:] = sorted(name for name in folders if name not in (".git", "__pycache__"))
        yield from (Path(folder, name) for name in sorted(files))


def recalled(file: Path, wanted: str) -> dict[str, Any] | None:
    """What the check said of exactly this, within the last hours."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        young = 0 <= time.time() - file.stat().st_mtime < HOURS * 3600
        return dict(kept["said"]) if young and kept["of"] == wanted else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(file: Path, of: str, said: Mapping[str, Any]) -> None:
    """Where it cannot be kept, the next run checks again."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f"{file.name}.{os.getpid()}")
        new.write_text(json.dumps({"of": of, "said": said}), encoding="utf-8")
        new.replace(file)
