# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the preflight action and the published lookup share of Ansible: paths, YAML loading, templating."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleError, AnsibleUndefinedVariable, AnsibleValueOmittedError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import AnsibleVaultError
from ansible.template import Templar
from ansible_collections.trading.platform.plugins.module_utils._preflight.specs import SHARED, dependencies
from ansible_collections.trading.platform.plugins.module_utils._site.client import find_site


def site_path(given: object, variables: Mapping[str, Any], config_file: str | None) -> str:
    """The site.yml that was asked for, or the nearest one."""
    if given:
        return os.path.realpath(str(given))
    # playbook_dir follows import_playbook; the playbook that was typed says which site is meant.
    start = [str(Path(playbook).resolve().parent) for playbook in list(context.CLIARGS.get("args") or ())[:1]]
    start.append(str(variables.get("playbook_dir") or Path.cwd()))
    if config_file:
        start.append(str(Path(config_file).parent))
    return find_site(start)


def roles_path(site: str, configured: Sequence[str]) -> list[str]:
    """Where Ansible looks for site.yml's roles: beside it, then roles_path."""
    beside = str(Path(site).parent / "roles")
    return list(dict.fromkeys([beside, *(str(path) for path in configured)]))


def is_plain(value: object) -> bool:
    """Whether a value holds nothing to evaluate. Templating costs a hundred times more than looking."""
    if isinstance(value, str):
        return "{{" not in value and "{%" not in value
    if isinstance(value, Mapping):
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float))


class Evaluator:
    """Ansible's templar under other variables than the task's."""

    def __init__(self, templar: Templar, loader: DataLoader) -> None:
        self._templar = templar
        self._loader = loader

    def load(self, path: str) -> object:
        """A YAML file whose strings are templates."""
        return self._loader.load_from_file(path, unsafe=True, trusted_as_template=True)

    def value(self, raw: object, scope: Mapping[str, object]) -> object:
        if is_plain(raw):
            return raw
        return self._templar.copy_with_new_env(available_variables=scope).template(raw)

    def text(self, raw: str, scope: Mapping[str, object]) -> str:
        return str(self.value(raw, scope))


UNSET, UNDEFINED, LOCKED, FAILED = "unset", "undefined", "locked", "failed"


@dataclass(frozen=True)
class Outcome:
    """A value, or why there is none: unset (omit), undefined, locked (vault) or failed."""

    value: object = None
    error: str | None = None
    message: str = ""
    # The message quotes no value, so it can be shown where secrets are about.
    open: bool = False


class Cache:
    """Evaluates each expression once per set of inputs: most values are the same on every host."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._known: dict[object, Outcome] = {}

    def outcome(self, raw: object, scope: Mapping[str, object]) -> Outcome:
        if is_plain(raw):
            return Outcome(raw)
        inputs = {name: scope[name] for name in dependencies(raw, scope) if name in scope}
        if "hostvars" in inputs:
            return self._evaluate(raw, scope)
        key = (text_key(raw), tuple((name, text_key(inputs[name])) for name in sorted(inputs) if name not in SHARED))
        if key not in self._known:
            self._known[key] = self._evaluate(raw, scope)
        return self._known[key]

    def _evaluate(self, raw: object, scope: Mapping[str, object]) -> Outcome:
        try:
            return Outcome(self._evaluator.value(raw, scope))
        except AnsibleUndefinedVariable as exc:
            return Outcome(error=UNDEFINED, message=first_line(exc))
        except AnsibleValueOmittedError:
            return Outcome(error=UNSET)
        except AnsibleError as exc:
            return Outcome(error=LOCKED if _is_locked(exc) else FAILED, message=first_line(exc), open=_is_open(exc))


def first_line(exc: BaseException) -> str:
    line = (str(exc).strip().splitlines() or [type(exc).__name__])[0]
    return re.sub(r"(The lookup plugin '[^']+' failed: )\1+", r"\1", line)


def _is_locked(exc: BaseException | None) -> bool:
    while exc is not None:
        if isinstance(exc, AnsibleVaultError) or "undecryptable" in str(exc):
            return True
        exc = exc.__cause__
    return False


def _is_open(exc: BaseException | None) -> bool:
    """Whether a filter of the collection stands for what it says."""
    while exc is not None:
        if getattr(exc, "quotes_no_value", False):
            return True
        exc = exc.__cause__
    return False


def text_key(value: object) -> str:
    """A key for a raw value. A vaulted string counts by identity: reading it would decrypt it."""
    return value if isinstance(value, str) else json.dumps(value, default=id, sort_keys=True)
