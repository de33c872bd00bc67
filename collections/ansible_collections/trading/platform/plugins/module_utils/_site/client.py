# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads site.yml and role files. The caller hands over how YAML is loaded (Ansible's DataLoader), files are cached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from ansible_collections.trading.platform.plugins.module_utils._site.model import (
    Import,
    Play,
    Role,
    SiteError,
    parse_playbook,
)

Load = Callable[[str], object]

# One worker process evaluates a lookup many times: parse each version of a file once.
_CACHE: dict[tuple[str, str, int], object] = {}
MAX_IMPORTS = 20


def find_site(start: Sequence[str]) -> str:
    """The nearest site.yml beside or above the given directories."""
    for directory in start:
        here = Path(directory).resolve()
        for parent in (here, *here.parents):
            if (parent / "site.yml").is_file():
                return str(parent / "site.yml")
    looked = " and ".join(start)
    raise SiteError(f"no site.yml in or above {looked}: give its path as `site`")


def plays(site: str, load: Load) -> list[Play]:
    """All plays of site.yml with its imports followed."""
    return list(_plays(site, {}, load, 0))


def _plays(path: str, inherited: Mapping[str, object], load: Load, depth: int) -> Iterator[Play]:
    if depth > MAX_IMPORTS:
        raise SiteError(f"{path}: playbooks import each other in a circle")
    for item in parse_playbook(_yaml(Path(path), load), path, inherited):
        if isinstance(item, Import):
            yield from _plays(item.path, item.variables, load, depth + 1)
        else:
            yield item


def role(name: str, roles_path: Sequence[str], load: Load) -> Role | None:
    """A role's defaults, vars and specs; None for a role that is not in these directories."""
    for directory in roles_path:
        path = Path(directory) / name
        if path.is_dir():
            return Role(
                name=name,
                path=str(path),
                defaults=_variables(path / "defaults", load),
                variables=_variables(path / "vars", load),
                specs=_specs(path, load),
            )
    return None


def publishes(name: str, kind: str, roles_path: Sequence[str]) -> bool:
    """Whether the text of a role's files holds `<role>_<kind>`: much cheaper than parsing every role."""
    for directory in roles_path:
        path = Path(directory) / name
        if path.is_dir():
            files = [file for part in ("defaults", "vars") for file in _files(path / part)]
            return any(f"{name}_{kind}" in file.read_text(encoding="utf-8") for file in files)
    return False


def role_names(roles_path: Sequence[str]) -> list[str]:
    """All roles in these directories."""
    return sorted(
        {
            path.name
            for directory in roles_path
            if Path(directory).is_dir()
            for path in Path(directory).iterdir()
            if path.is_dir() and not path.name.startswith(".")
        }
    )


def _files(folder: Path) -> list[Path]:
    """main.yml, or main/*.yml, as Ansible reads them."""
    for suffix in (".yml", ".yaml"):
        if (folder / f"main{suffix}").is_file():
            return [folder / f"main{suffix}"]
    split = folder / "main"
    return sorted(path for path in split.glob("*.y*ml") if path.is_file()) if split.is_dir() else []


def _variables(folder: Path, load: Load) -> dict[str, object]:
    merged: dict[str, object] = {}
    for path in _files(folder):
        data = _yaml(path, load)
        if data is None:
            continue
        if not isinstance(data, Mapping):
            raise SiteError(f"{path}: must be a mapping of variables")
        merged.update({str(key): value for key, value in data.items()})
    return merged


def _specs(path: Path, load: Load) -> dict[str, dict[str, Mapping[str, object]]]:
    found: object = None
    for file in ("argument_specs.yml", "argument_specs.yaml", "main.yml"):
        data = _yaml(path / "meta" / file, load) if (path / "meta" / file).is_file() else None
        if isinstance(data, Mapping) and data.get("argument_specs"):
            found = data["argument_specs"]
            break
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise SiteError(f"{path}/meta: argument_specs must be a mapping of entry points")
    return {str(entry): _options(spec) for entry, spec in found.items()}


def _options(spec: object) -> dict[str, Mapping[str, object]]:
    options = spec.get("options") if isinstance(spec, Mapping) else None
    if not isinstance(options, Mapping):
        return {}
    return {str(name): option for name, option in options.items() if isinstance(option, Mapping)}


def _yaml(path: Path, load: Load) -> object:
    try:
        stamp = path.stat().st_mtime_ns
    except OSError as exc:
        raise SiteError(f"{path}: {exc.strerror or exc}") from exc
    return _cached(("yaml", str(path), stamp), partial(load, str(path)))


def _cached(key: tuple[str, str, int], make: Callable[[], object]) -> object:
    if key not in _CACHE:
        try:
            _CACHE[key] = make()
        except Exception as exc:
            raise SiteError(f"{key[1]}: {exc}") from exc
    return _CACHE[key]
