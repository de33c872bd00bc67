# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What site.yml says, as data: plays in order, and the roles each gives to its hosts. Pure: the caller loads YAML."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

TASK_KEYS = ("tasks", "post_tasks", "handlers")
BLOCK_KEYS = ("block", "rescue", "always")
ROLE_TASKS = ("include_role", "import_role", "ansible.builtin.include_role", "ansible.builtin.import_role")
IMPORTS = ("import_playbook", "ansible.builtin.import_playbook")


class SiteError(Exception):
    """A playbook or a role's file that cannot be read as one; the message names the file."""


@dataclass(frozen=True)
class RoleUse:
    """One role given to a play's hosts, with the variables the play hands over."""

    role: str
    entry: str = "main"
    play_vars: Mapping[str, object] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)
    source: str = ""
    hosts: str = ""


@dataclass(frozen=True)
class Play:
    hosts: str
    roles: tuple[RoleUse, ...]
    source: str


@dataclass(frozen=True)
class Import:
    """An import_playbook line, with its path made absolute or relative like the importing file's."""

    path: str
    variables: Mapping[str, object]


@dataclass(frozen=True)
class Role:
    """A role's files. Specs are keyed by entry point."""

    name: str
    path: str
    defaults: Mapping[str, object]
    variables: Mapping[str, object]
    specs: Mapping[str, Mapping[str, Mapping[str, object]]]

    def names(self) -> set[str]:
        """Every public variable the role knows."""
        known = set(self.defaults) | set(self.variables)
        for options in self.specs.values():
            known |= set(options)
        return {name for name in known if not name.startswith("_")}


def parse_playbook(data: object, source: str, inherited: Mapping[str, object] | None = None) -> list[Play | Import]:
    """Turn a loaded playbook into plays and imports, in order."""
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise SiteError(f"{source}: a playbook is a list of plays")
    return [_entry(item, source, inherited or {}) for item in data]


def _entry(item: object, source: str, inherited: Mapping[str, object]) -> Play | Import:
    if not isinstance(item, Mapping):
        raise SiteError(f"{source}: each play is a mapping, this one is {type(item).__name__}")
    variables = {**inherited, **_mapping(item.get("vars"))}
    for key in IMPORTS:
        if key in item:
            return Import(os.path.join(os.path.dirname(source), str(item[key])), variables)  # noqa: PTH118, PTH120
    hosts = item.get("hosts")
    if hosts is None:
        raise SiteError(f"{source}: a play has no hosts")
    pattern = hosts if isinstance(hosts, str) else ",".join(str(part) for part in hosts)
    uses = tuple(_uses(item, variables, source, pattern))
    return Play(hosts=pattern, roles=uses, source=source)


def _uses(play: Mapping[str, object], play_vars: Mapping[str, object], source: str, hosts: str) -> Iterator[RoleUse]:
    """The play's roles in the order Ansible runs them."""

    def use(role: str, entry: str, params: Mapping[str, object]) -> RoleUse:
        return RoleUse(role=role, entry=entry, play_vars=play_vars, params=params, source=source, hosts=hosts)

    for found in _task_roles(play.get("pre_tasks"), {}):
        yield use(*found)
    for item in _list(play.get("roles")):
        if isinstance(item, str):
            yield use(item, "main", {})
        elif isinstance(item, Mapping):
            name = str(item.get("role") or item.get("name"))
            yield use(name, "main", {**_inline(item), **_mapping(item.get("vars"))})
    for key in TASK_KEYS:
        for found in _task_roles(play.get(key), {}):
            yield use(*found)


def _task_roles(tasks: object, inherited: Mapping[str, object]) -> Iterator[tuple[str, str, Mapping[str, object]]]:
    for task in _list(tasks):
        if not isinstance(task, Mapping):
            continue
        params = {**inherited, **_mapping(task.get("vars"))}
        for key in BLOCK_KEYS:
            yield from _task_roles(task.get(key), params)
        for key in ROLE_TASKS:
            args = _mapping(task.get(key))
            name = args.get("name") or args.get("role")
            # A role chosen at run time cannot be known before it.
            if isinstance(name, str) and "{{" not in name:
                yield name, entry_point(args.get("tasks_from")), params


def entry_point(tasks_from: object) -> str:
    """`tasks_from: restart.yml` is checked by the spec's key `restart`."""
    return os.path.splitext(str(tasks_from or "main"))[0]  # noqa: PTH122


ROLE_KEYWORDS = frozenset({
    "role", "name", "vars", "tags", "when", "become", "become_user", "become_method", "become_flags", "become_exe",
    "check_mode", "diff", "environment", "no_log", "run_once", "delegate_to", "delegate_facts", "any_errors_fatal",
    "connection", "remote_user", "port", "throttle", "timeout", "ignore_errors", "ignore_unreachable", "collections",
    "module_defaults", "debugger",
})  # fmt: skip


def _inline(item: Mapping[str, object]) -> dict[str, object]:
    """`{role: x, x_port: 1}` hands x_port over like `vars` does."""
    return {str(key): value for key, value in item.items() if key not in ROLE_KEYWORDS}


def _mapping(value: object) -> dict[str, object]:
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def roles_of_host(plays: Sequence[Play], host: str, hosts_of: Callable[[str], Collection[str]]) -> list[RoleUse]:
    """The roles site.yml gives to a host, in order. `hosts_of` resolves a pattern, without --limit."""
    return [use for play in plays if host in hosts_of(play.hosts) for use in play.roles]


def layered(role: Role, use: RoleUse, host_vars: Mapping[str, object]) -> dict[str, object]:
    """The variables one use of a role sees on a host, by Ansible's precedence."""
    return {
        **role.defaults,
        **host_vars,
        **use.play_vars,
        **role.variables,
        **use.params,
        "role_name": role.name,
        "role_path": role.path,
    }


def published(
    uses: Sequence[tuple[Role, RoleUse]],
    kind: str,
    host_vars: Mapping[str, object],
    evaluate: Callable[[object, Mapping[str, object]], object],
) -> list[dict[str, object]]:
    """Concatenate `<role>_<kind>` of the roles, each element marked with its role.

    A role that a host has twice with the same result (an include of another entry point) counts once; with other
    variables it is a second instance and counts again.
    """
    found: list[dict[str, object]] = []
    for role, use in uses:
        name = f"{role.name}_{kind}"
        if name in use.params or name in use.play_vars:
            # The play hands it to the role (`pki_certificates` from all `certificates`): an input, no publication.
            continue
        if not any(name in layer for layer in (role.variables, host_vars, role.defaults)):
            continue
        scope = layered(role, use, host_vars)
        for element in published_elements(name, role.name, evaluate(scope[name], scope)):
            if element not in found:
                found.append(element)
    return found


def published_elements(name: str, role: str, value: object) -> list[dict[str, object]]:
    """Check the shape of one published list and mark its elements."""
    if value is None:
        return []
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(e, Mapping) for e in value):
        raise SiteError(f"{name} of role {role} must be a list of mappings, it is {type(value).__name__}")
    return [{"role": role, **_mapping(element)} for element in value]
