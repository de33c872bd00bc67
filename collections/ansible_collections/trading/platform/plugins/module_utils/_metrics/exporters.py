# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exporters from a table: which files, units and targets the chosen ones need. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

# Debian's units hand $ARGS to systemd, which splits it at spaces and takes quotes away.
ARGUMENT = re.compile(r"[^\s'\"\\]*")
DROP_IN = """[Unit]
# What it asks may come later than it does.
StartLimitIntervalSec=0

[Service]
Restart=always
RestartSec=5
"""


class ExporterError(ValueError):
    """A table or a choice that cannot be landed; the message says what."""


def chosen(table: Mapping[str, Mapping[str, Any]], on: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The entries of the table that a host runs."""
    for name in on:
        if name not in table:
            raise ExporterError(f"there is no exporter {name!r}; there are {', '.join(table)}")
        yield name, table[name]


def landed(table: Mapping[str, Mapping[str, Any]], on: Sequence[str], banner: str) -> dict[str, Any]:
    """content and apply of config_tree, packages and units (names)."""
    content: dict[str, str] = {}
    units: list[str] = []
    restarted: dict[str, list[str]] = {}
    for name, entry in chosen(table, on):
        files = {str(path): str(text) for path, text in (entry.get("files") or {}).items()}
        unit = entry.get("unit")
        if unit:
            files[f"etc/default/{unit}"] = f"# {banner}\n" + "".join(_environment(name, entry))
            files[f"etc/systemd/system/{unit}.service.d/trading.conf"] = f"# {banner}\n{DROP_IN}"
            units.append(unit)
            restarted.setdefault(unit, []).extend(path for path in files if not path.startswith("etc/systemd/"))
        for path, text in files.items():
            if content.setdefault(path, text) != text:
                raise ExporterError(f"exporter {name!r} wants /{path} to be something else than another one does")
    return {
        "content": content,
        "packages": list(dict.fromkeys(units)),
        "units": list(dict.fromkeys(units)),
        # A bracket in a unit's name makes it a pattern: no error where the package is not installed yet.
        "apply": [
            {"match": list(dict.fromkeys(paths)), "command": f"systemctl try-restart {unit}.servic[e]"}
            for unit, paths in restarted.items()
        ],
    }


def _environment(name: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """Lines of Debian's /etc/default/UNIT."""
    arguments = [str(one) for one in entry.get("arguments") or ()]
    if wrong := [one for one in arguments if not ARGUMENT.fullmatch(one)]:
        raise ExporterError(f"exporter {name!r}: no spaces, quotes and backslashes in arguments: {', '.join(wrong)}")
    yield f"ARGS='{' '.join(arguments)}'\n"
    for key, value in (entry.get("environment") or {}).items():
        if "\n" in str(value) or "'" in str(value):
            raise ExporterError(f"exporter {name!r}: no quotes and line ends in {key}")
        yield f"{key}='{value}'\n"


def targets(
    table: Mapping[str, Mapping[str, Any]], on: Sequence[str], probes: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    """What the host's front passes on of them. Each probe is a target of its own, labelled by what it looks at."""
    found: list[dict[str, Any]] = []
    for name, entry in chosen(table, on):
        reached = {key: entry[key] for key in ("port", "path", "command", "timeout") if key in entry}
        if name != "blackbox":
            found.append({"job": name, **reached})
            continue
        found += [
            {
                "job": name,
                "name": f"blackbox_{probe['module']}",
                **reached,
                "path": f"/probe?module={quote(probe['module'])}",
                "params": {key: probe[key] for key in ("target", "hostname") if probe.get(key)},
                "labels": {"target": probe["name"], "probe": probe["module"]},
            }
            for probe in probes
        ]
    return found
