# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory stage: gathers what the pure checks of module_utils/_preflight need from Ansible, and runs them all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.trading.platform.plugins.module_utils._preflight import (
    groups as group_checks,
)
from ansible_collections.trading.platform.plugins.module_utils._preflight import (
    names,
    networks,
    places,
    ports,
    secrets,
    specs,
)
from ansible_collections.trading.platform.plugins.module_utils._preflight.problem import Problem, merged
from ansible_collections.trading.platform.plugins.module_utils._site import client
from ansible_collections.trading.platform.plugins.module_utils._site.model import (
    Role,
    RoleUse,
    SiteError,
    layered,
    published_elements,
    roles_of_host,
)
from ansible_collections.trading.platform.plugins.module_utils._site.patterns import limit_parts, resolve, unknown_parts
from ansible_collections.trading.platform.plugins.plugin_utils._site import (
    FAILED,
    LOCKED,
    UNDEFINED,
    UNSET,
    Cache,
    Evaluator,
    Outcome,
    text_key,
)

VARIABLE_FILES = frozenset({"", ".yml", ".yaml", ".json"})


@dataclass
class Settings:
    """The action's parameters."""

    site: str
    roles_path: list[str]
    sources: list[str]
    limit: str
    required_groups: list[str] = field(default_factory=list)
    quorum_groups: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    renamed: dict[str, Any] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)


@dataclass
class Given:
    """One role on one host."""

    host: str
    role: Role
    use: RoleUse
    scope: dict[str, object]


class Inspection:
    """One run over the whole inventory; `--limit` only has its names checked."""

    def __init__(
        self,
        settings: Settings,
        groups: Mapping[str, list[str]],
        host_vars: Callable[[str], dict[str, object]],
        evaluator: Evaluator,
    ) -> None:
        self.settings = settings
        self.groups = groups
        self.hosts = list(groups.get("all", ()))
        self.inventory = display_path(settings.sources[0]) if settings.sources else "the inventory"
        self.environment = environment_of(settings.sources)
        self.checked = 0
        self._validated: dict[tuple[int, str], list[str]] = {}
        self._nearest: dict[str, list[str]] = {}
        self._wrong: set[tuple[str, str]] = set()
        self._evaluator = evaluator
        self._cache = Cache(evaluator)
        self._lines = places.index(inventory_files(settings.sources))
        self._vars = {host: host_vars(host) for host in self.hosts}
        self._roles = {
            name: role
            for name in client.role_names(settings.roles_path)
            if (role := client.role(name, settings.roles_path, evaluator.load))
        }
        self._secret_names = {
            name
            for role in self._roles.values()
            for options in role.specs.values()
            for name, option in options.items()
            if specs.is_secret(option)
        }
        self._given = list(self._all_given())

    def problems(self) -> list[Problem]:
        """All of them, errors and warnings, in the order of their families."""
        found = [
            *group_checks.limit(self._unknown_limit(), self.settings.limit),
            *group_checks.required(self.groups, self.settings.required_groups, self.inventory),
            *group_checks.quorum(self.groups, self.settings.quorum_groups, self.inventory),
            *self._names(),
            *self._options(),
            *self._networks(),
            *networks.duplicates(list(self._claims())),
            *self._ports(),
        ]
        return merged(found)

    def roles_given(self) -> int:
        return len({given.role.name for given in self._given})

    # what site.yml gives

    def _all_given(self) -> Iterator[Given]:
        plays = client.plays(self.settings.site, self._evaluator.load)
        for host in self.hosts:
            scope = self._vars[host]
            for use in roles_of_host(plays, host, lambda pattern, scope=scope: self._resolve(pattern, scope)):  # type: ignore[misc]
                role = self._roles.get(use.role)
                if role:
                    yield Given(host, role, use, layered(role, use, scope))
                elif "." not in use.role:
                    raise SiteError(f"{use.source}: the role {use.role} is in none of {self.settings.roles_path}")

    def _resolve(self, pattern: str, scope: Mapping[str, object]) -> list[str]:
        return resolve(self._evaluator.text(pattern, scope), self.groups)

    def _unknown_limit(self) -> list[tuple[str, list[str]]]:
        if not self.settings.limit:
            return []

        def read(path: str) -> str:
            return Path(path).read_text(encoding="utf-8")

        return unknown_parts(limit_parts(self.settings.limit, self.groups, read), self.groups)

    def _where(self, name: str, host: str) -> str:
        return places.where(name, host, self._nearest_groups(host), self._lines)

    def _nearest_groups(self, host: str) -> list[str]:
        """The host's groups, smallest first: the nearer one wins."""
        if host in self._nearest:
            return self._nearest[host]
        mine = [name for name, members in self.groups.items() if host in members and name != "all"]
        self._nearest[host] = sorted(mine, key=lambda name: (len(self.groups[name]), name))
        return self._nearest[host]

    # names

    def _names(self) -> Iterator[Problem]:
        known = {name: role.names() for name, role in self._roles.items()}
        for host in self.hosts:
            defined = self._vars[host].keys()
            for name, advice in names.renamed(defined, self.settings.renamed):
                yield Problem(f"{name} is no longer a variable.", advice, self._place(name, host), (host,))
            accepted = [*self.settings.accepted, *self.settings.renamed]
            for name, role, near in names.unknown(defined, known, accepted):
                what = f"{name} is not a variable of the role {role}."
                yield Problem(what, names.suggested(near, role), self._place(name, host), (host,))

    def _place(self, name: str, host: str) -> str:
        return self._where(name, host) or "extra variables (-e) or a vars plugin"

    # options of the specs, secrets among them

    def _options(self) -> Iterator[Problem]:
        found: list[secrets.Secret] = []
        for given in self._given:
            for name, option in given.role.specs.get(given.use.entry, {}).items():
                self.checked += 1
                if specs.is_secret(option):
                    yield from self._secret(given, name, option, found)
                else:
                    yield from self._option(given, name, option)
        path = secrets.password_file(self.environment, os.environ)
        exists = Path(path).is_file()
        count = len(self.hosts)
        yield from secrets.problems(
            found, self.environment, self.inventory, count, password=path, password_exists=exists
        )

    def _option(self, given: Given, name: str, option: specs.Option) -> Iterator[Problem]:
        outcome = self._outcome(given, name)
        if outcome.error == UNSET:
            if option.get("required"):
                yield self._unset(given, name, option)
            return
        if outcome.error is None:
            yield from self._fits(given, name, option, outcome.value)
            return
        depends_on = specs.dependencies(given.scope[name], given.scope)
        if not self._expected_later(given, name, outcome, depends_on):
            yield from self._broken(given, name, outcome, depends_on)

    def _defined(self, given: Given, name: str) -> str:
        """Where an option's value is written: the inventory, or the role's defaults."""
        return self._where(name, given.host) or display_path(f"{given.role.path}/defaults/main.yml")

    def _messages(self, name: str, option: specs.Option, value: object) -> list[str]:
        """What the spec says of a value; hosts mostly share values, so each is asked once."""
        key = (id(option), text_key(value))
        if key not in self._validated:
            self._validated[key] = specs.messages(name, option, value)
        return self._validated[key]

    def _outcome(self, given: Given, name: str) -> Outcome:
        """A variable as the role will see it on the host."""
        return self._cache.outcome(given.scope[name], given.scope) if name in given.scope else Outcome(error=UNSET)

    def _fits(self, given: Given, name: str, option: specs.Option, value: object) -> Iterator[Problem]:
        if value is None and not option.get("required"):
            return
        said = self._messages(name, option, value)
        if said and self._touches_secret(specs.dependencies(given.scope[name], given.scope)):
            said = specs.covered(name, option, value)
        for message in said:
            self._wrong.add((given.host, name))
            do = f"Correct the value{_about(option)}."
            yield Problem(message, do, self._defined(given, name), (given.host,))

    def _broken(self, given: Given, name: str, outcome: Outcome, depends_on: set[str]) -> Iterator[Problem]:
        secret = self._touches_secret(depends_on)
        if secret and outcome.error in (UNDEFINED, LOCKED) and depends_on & self._secret_names:
            return  # the secret itself is reported; an option that only embeds it would repeat that
        hidden = secret and outcome.error == FAILED and not outcome.open
        reason = "it reads a secret, so the error is not shown" if hidden else outcome.message
        yield Problem(
            f"{name} cannot be evaluated: {reason}.", _mend(outcome.error), self._defined(given, name), (given.host,)
        )

    def _secret(self, given: Given, name: str, option: specs.Option, found: list[secrets.Secret]) -> Iterator[Problem]:
        depends_on = specs.dependencies(given.scope.get(name), given.scope)
        vault = tuple(sorted(word for word in depends_on if word.startswith("vault_")))
        outcome = self._outcome(given, name)
        where = self._where(name, given.host)
        if outcome.error:
            kind, reason = self._why_no_secret(given, name, option, outcome)
            if outcome.error == UNDEFINED:
                missing = tuple(word for word in vault if word not in given.scope)
                kind, vault = (secrets.MISSING, missing) if missing else (kind, vault)
                reason = "" if missing else reason
            if kind:
                found.append(secrets.Secret(kind, name, vault, reason, where, (given.host,)))
            return
        for path, reason in secrets.unreal(name, option, outcome.value):
            found.append(secrets.Secret(secrets.PLACEHOLDER, path, vault, reason, where, (given.host,)))
        for message in specs.covered(name, option, outcome.value) if outcome.value is not None else ():
            yield Problem(message, f"Correct the value{_about(option)}.", where, (given.host,))

    def _why_no_secret(self, given: Given, name: str, option: specs.Option, outcome: Outcome) -> tuple[str, str]:
        """(kind, reason) of a secret without a value; no kind when that is in order."""
        depends_on = specs.dependencies(given.scope.get(name), given.scope)
        if outcome.error == UNSET:
            line = f'{name}: "{{{{ vault_{name} }}}}"'
            kind = secrets.MISSING if option.get("required") else ""
            return kind, f"write the line `{line}` to {self._file_for(given)}"
        if outcome.error == UNDEFINED:
            later = self._expected_later(given, name, outcome, depends_on)
            return ("" if later else secrets.MISSING), outcome.message
        if outcome.error == LOCKED:
            return secrets.LOCKED, ""
        # Ansible's text may quote the value; what a lookup says of itself names the store's path only.
        shown = outcome.message if "lookup" in outcome.message else "the error is not shown, it may hold the value"
        return secrets.FAILED, shown

    def _touches_secret(self, depends_on: set[str]) -> bool:
        return any(name.startswith("vault_") or name in self._secret_names for name in depends_on)

    def _expected_later(self, given: Given, name: str, outcome: Outcome, depends_on: set[str]) -> bool:
        """Values that only the run brings: facts, and what a play computes for a role."""
        if outcome.error != UNDEFINED:
            return False
        computed = name in given.use.params or name in given.use.play_vars
        return computed or specs.waits_for_host(outcome.message, depends_on)

    def _unset(self, given: Given, name: str, option: specs.Option) -> Problem:
        return Problem(
            f"{name} is not set, and the role {given.role.name} requires it.",
            f"Set it in {self._file_for(given)}{_about(option)}; see roles/{given.role.name}/README.md.",
            hosts=(given.host,),
        )

    def _file_for(self, given: Given) -> str:
        """Where a role's variable belongs: the play's group, when it is one."""
        group = given.use.hosts if given.use.hosts in self.groups else "all"
        return f"{self.inventory}/group_vars/{group}/{given.role.name}.yml"

    # networks, addresses, ports

    def _networks(self) -> list[Problem]:
        found = [
            networks.Named(name, text, (host,), self._where(name, host))
            for host in self.hosts
            for name in self.settings.networks
            for text in networks.cidrs(self._value(host, name))
        ]
        return networks.check(found)

    def _claims(self) -> Iterator[tuple[str, str, str, str]]:
        for host in self.hosts:
            for name in self.settings.addresses:
                value = self._value(host, name)
                if value in (None, ""):
                    continue
                port = self._value(host, "ansible_port") if name == "ansible_host" else None
                address = f"{value} port {port}" if port not in (None, 22, "22") else str(value)
                yield name, address, host, self._where(name, host)

    def _value(self, host: str, name: str) -> object:
        """A variable as the host's roles see it; nothing when it is not there or waits for the run."""
        scopes = [given.scope for given in self._given if given.host == host and name in given.scope]
        scope = next(iter(scopes), self._vars[host])
        return self._cache.outcome(scope[name], scope).value if name in scope else None

    def _ports(self) -> Iterator[Problem]:
        for host in self.hosts:
            listens: list[ports.Listen] = []
            for given in (given for given in self._given if given.host == host):
                name = f"{given.role.name}_listens"
                try:
                    listens += self._listens(given, name)
                except (ValueError, SiteError) as exc:
                    yield Problem(f"{exc}.", f"Correct {name}.", self._where(name, host), (host,))
            yield from ports.check(host, list(dict.fromkeys(listens)))

    def _listens(self, given: Given, name: str) -> list[ports.Listen]:
        outcome = self._outcome(given, name)
        depends_on = specs.dependencies(given.scope.get(name), given.scope) | {name}
        said = any((given.host, cause) in self._wrong for cause in depends_on)
        if said or outcome.error == UNSET or self._expected_later(given, name, outcome, depends_on):
            return []
        if outcome.error:
            raise ValueError(f"{name} cannot be evaluated: {outcome.message}")
        return [ports.parse(element) for element in published_elements(name, given.role.name, outcome.value)]


def _about(option: specs.Option) -> str:
    """The spec's description as a hint; its first sentence."""
    text = option.get("description")
    first = text[0] if isinstance(text, list) and text else text
    return f" ({str(first).strip().rstrip('.')})" if first else ""


def _mend(error: str | None) -> str:
    if error == UNDEFINED:
        return "Define the variable it refers to, or correct the expression."
    return "Correct the expression, or provide what it reads."


def display_path(path: str) -> str:
    """Relative to where the person stands, when it is below."""
    short = os.path.relpath(path)
    return os.path.abspath(path) if short.startswith("..") else short  # noqa: PTH100


def environment_of(sources: Sequence[str]) -> str:
    """inventories/prod, prod (the link) and inventories/prod/hosts.yml are all `prod`."""
    for source in sources:
        path = Path(os.path.abspath(source))  # noqa: PTH100
        return path.name if path.is_dir() else path.parent.name
    return "local"


def inventory_files(sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(path, text) of every file that may define a variable."""
    for source in sources:
        path = Path(source)
        if path.is_file():
            files = [path]
            for name in ("group_vars", "host_vars"):
                files += sorted((path.parent / name).rglob("*"))
        elif path.is_dir():
            files = sorted(path.rglob("*"))
        else:
            continue
        for file in files:
            if file.is_file() and file.suffix in VARIABLE_FILES and not re.search(r"/\.", str(file)[len(source) :]):
                yield display_path(str(file)), file.read_text(encoding="utf-8", errors="replace")
