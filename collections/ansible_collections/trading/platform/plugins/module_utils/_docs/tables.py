# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's README part from its argument specs and defaults, and what the two disagree about. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

BEGIN = "<!-- begin generated: bin/docs -->"
END = "<!-- end generated -->"

# What a role publishes for others; the play collects it by these endings (see the lookup trading.platform.published).
# In the role that takes it, the variable of that name is where the play hands it in.
PUBLISHED = {
    "firewall_openings": "openings for the firewall role",
    "container_bridges": "bridges of containers, for the firewall role",
    "listens": "ports it listens on, for preflight",
    "certificates": "certificates it asks of the pki role",
    "scrape_targets": "targets for Prometheus",
    "alerts": "alert rules for Prometheus",
    "dashboards": "dashboards for Grafana",
    "file_backups": "files for the restic role",
    "log_sources": "logs for the shipper",
}

_TAKES = {("pki", "certificates"), ("common", "listens")}

_SHORT = 60
_MARKUP = re.compile(r"\b([CVOEBIMP])\(((?:[^()\\]|\\.|\([^()]*\))*)\)")


class DocsError(Exception):
    """A file is not what it should be; the text says which, and what to do."""


def prose(description: object) -> str:
    """One line of Markdown from a spec's description: a text or a list of them, in Ansible's markup."""
    parts = description if isinstance(description, list) else [description or ""]
    text = " ".join(" ".join(str(part).split()) for part in parts)

    def plain(match: re.Match[str]) -> str:
        kind, inner = match.group(1), match.group(2)
        return {"B": f"**{inner}**", "I": f"*{inner}*"}.get(kind, f"`{inner}`")

    return cell(_MARKUP.sub(plain, text))


def cell(text: str) -> str:
    """Text that cannot break out of a table cell."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def shown(value: object) -> str:
    """A default as code, one line, cut where it is long: the whole of it stands in defaults/main.yml."""
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    if len(text) > _SHORT:
        text = text[: _SHORT - 1] + "…"
    fence = "``" if "`" in text else "`"
    pad = " " if "`" in text else ""
    return cell(f"{fence}{pad}{text}{pad}{fence}")


def _type_of(option: Mapping[str, Any]) -> str:
    kind = str(option.get("type", "str"))
    if kind == "list" and "elements" in option:
        kind = f"list of {option['elements']}"
    return f"{kind}, secret" if option.get("no_log") else kind


def _what(option: Mapping[str, Any]) -> str:
    text = prose(option.get("description"))
    choices = option.get("choices")
    if choices:
        text = f"{text} One of {', '.join(shown(choice) for choice in choices)}.".strip()
    return text


def _default_of(name: str, option: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    if option.get("required"):
        return "**required**"
    if name in defaults:
        return shown(defaults[name])
    return shown(option["default"]) if "default" in option else ""


def _rows(options: Mapping[str, Any], defaults: Mapping[str, Any], parent: str = "") -> list[str]:
    rows = []
    for key, option in options.items():
        name = f"{parent}{key}"
        default = _default_of(name, option, defaults)
        rows.append(f"| `{name}` | {_type_of(option)} | {default} | {_what(option)} |")
        inner = "[]." if option.get("type") == "list" else "."
        rows += _rows(option.get("options") or {}, {}, f"{name}{inner}")
    return rows


def _entry_point(name: str, spec: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    lines = ["## Variables" if name == "main" else f"## Entry point `{name}`", ""]
    # What the role as a whole does is said by hand above.
    about = [] if name == "main" else [prose(spec.get("short_description")), prose(spec.get("description"))]
    for text in filter(None, about):
        lines += [text if text.endswith((".", "!", "?")) else f"{text}.", ""]
    options = spec.get("options") or {}
    if not options:
        return [*lines, "No variables.", ""]
    header = ["| Variable | Type | Default | What |", "|---|---|---|---|"]
    return [*lines, *header, *_rows(options, defaults), ""]


def published(role: str, names: Iterable[str]) -> dict[str, str]:
    """Those of a role's variables that it publishes for other roles, each with what it is."""
    known = {f"{role}_{ending}": what for ending, what in PUBLISHED.items() if (role, ending) not in _TAKES}
    return {name: known[name] for name in sorted(set(names)) if name in known}


def render(role: str, specs: Mapping[str, Any], defaults: Mapping[str, Any], other_vars: Sequence[str] = ()) -> str:
    """The generated part of a README, without its markers."""
    lines: list[str] = []
    for name in sorted(specs, key=lambda name: (name != "main", name)):
        lines += _entry_point(name, specs[name] or {}, defaults)
    public = published(role, [*defaults, *other_vars])
    if public:
        lines += ["## Published", "", "Variables that the play hands to other roles.", ""]
        lines += [f"- `{name}`: {what}" for name, what in public.items()] + [""]
    return "\n".join(lines).rstrip("\n") + "\n"


def replace(readme: str, generated: str, path: str) -> str:
    """The README with its generated part renewed."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise DocsError(f"{path}: needs the lines `{BEGIN}` and `{END}` once each, in that order; add them")
    head, rest = readme.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n{generated}{END}{tail}"


def differences(role: str, specs: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """Where spec and defaults disagree, each with what to do."""
    problems: list[str] = []
    main = (specs.get("main") or {}).get("options") or {}
    every = {key: option for spec in specs.values() for key, option in ((spec or {}).get("options") or {}).items()}
    spec_file, defaults_file = f"roles/{role}/meta/argument_specs.yml", f"roles/{role}/defaults/main.yml"
    for key, option in main.items():
        if not option.get("required") and key not in defaults:
            problems.append(f"{defaults_file}: `{key}` is optional in the spec and has no default here; add one")
    for key, option in every.items():
        # An entry point's own parameter may have its default in the spec alone.
        if option.get("required") and key in defaults:
            problems.append(f"{defaults_file}: `{key}` is required in the spec and has a default here; drop one")
        if option.get("no_log") and not option.get("required"):
            problems.append(f"{spec_file}: `{key}` is a secret and not required; a secret has no default")
        if "default" in option and key in defaults and not _same(option["default"], defaults[key]):
            problems.append(
                f"{spec_file}: `{key}` has the default {shown(option['default'])}, {defaults_file} has"
                f" {shown(defaults[key])}; drop the one in the spec"
            )
    public = published(role, defaults)
    for key in defaults:
        if key not in every and key not in public:
            problems.append(f"{spec_file}: does not know `{key}` of defaults/main.yml; describe it or move it to vars/")
    return problems


def _same(spec: object, default: object) -> bool:
    """An expression cannot be compared without a host, so it passes."""
    return spec == default or (isinstance(default, str) and "{{" in default)
