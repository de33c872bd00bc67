# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must lie in a repository: the files of a set by its manifest, WAL segments by their names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .client import Entry, Slice
from .wal import BackupError

SEGMENT = re.compile(r"([0-9A-F]{24})-([0-9a-f]{40})(\.(?:gz|bz2|lz4|zst))?")
HISTORY = re.compile(r"([0-9A-F]{8})\.history")
SUFFIXES = {"none": "", "gz": ".gz", "bz2": ".bz2", "lz4": ".lz4", "zst": ".zst"}


@dataclass(frozen=True)
class Archived:
    """A WAL segment as it lies there."""

    path: str
    sha1: str


@dataclass(frozen=True)
class Listing:
    segments: Mapping[str, tuple[Archived, ...]]
    histories: Mapping[int, str]
    sizes: Mapping[str, int]


def read_archive(files: Mapping[str, Entry], root: str) -> Listing:
    """What is half written has another suffix, `.pgbackrest.tmp`, and does not count."""
    segments: dict[str, list[Archived]] = {}
    histories = {}
    sizes = {}
    for name, entry in files.items():
        base = name.rpartition("/")[2]
        if found := SEGMENT.fullmatch(base):
            segments.setdefault(found[1], []).append(Archived(f"{root}/{name}", found[2]))
            sizes[found[1]] = entry.size
        elif found := HISTORY.fullmatch(base):
            histories[int(found[1], 16)] = f"{root}/{name}"
    return Listing({name: tuple(each) for name, each in segments.items()}, histories, sizes)


def read_manifest(raw: bytes, label: str, root: str) -> dict[str, list[Slice]]:
    """Objects of the repository and what lies in each; `root` is backup/STANZA."""
    try:
        sections = _sections(raw.decode())
        suffix = SUFFIXES[str(json.loads(sections["backup:option"]["option-compress-type"]))]
        found: dict[str, list[Slice]] = {}
        for name, text in sections["target:file"].items():
            entry = json.loads(text)
            if place := _place(name, entry, label, suffix):
                path, one = place
                found.setdefault(f"{root}/{path}", []).append(one)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise BackupError(
            f"the manifest of set {label} cannot be read ({type(error).__name__}: {error}); "
            "use another set. Nothing was changed."
        ) from error
    return found


def _place(name: str, entry: Mapping[str, Any], label: str, suffix: str) -> tuple[str, Slice] | None:
    length = int(entry.get("repo-size", entry.get("size", 0)))
    bundle = entry.get("bni")
    if length == 0:
        return None
    reference = entry.get("reference", label)
    one = Slice(name, int(entry.get("bno", 0)), length, str(entry.get("rck") or entry["checksum"]))
    if bundle is not None:
        return f"{reference}/bundle/{bundle}", one
    return f"{reference}/{name}{'.pgbi' if 'bi' in entry else suffix}", one


def _sections(text: str) -> dict[str, dict[str, str]]:
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("[") and line.endswith("]") and "=" not in line:
            current = sections.setdefault(line[1:-1], {})
        elif line:
            # A file's name may hold an equals sign; its entry begins with a brace.
            key, equals, value = line.partition("={" if "={" in line else "=")
            if not equals:
                raise ValueError(f"no value in {line[:80]!r}")
            current[key] = equals[1:] + value
    return sections


def absent(expected: Mapping[str, list[Slice]], files: Mapping[str, Entry], root: str) -> dict[str, str]:
    """Objects that are missing or too short; cheap, by the listing alone."""
    found = {}
    for path, slices in expected.items():
        entry = files.get(path.removeprefix(f"{root}/"))
        wanted = max(one.offset + one.length for one in slices)
        if entry is None:
            found[path] = "missing"
        elif entry.size < wanted:
            found[path] = f"{entry.size} bytes long, must be {wanted}"
    return found


def missing(wanted: Iterable[str], listing: Listing) -> list[str]:
    return [name for name in wanted if name not in listing.segments]
