# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a directory of templates here and lands all of it on the host in one round trip."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812 - Ansible's own name for it
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from ansible_collections.trading.platform.plugins.module_utils._config_tree import render_plan
from ansible_collections.trading.platform.plugins.module_utils._config_tree.spec import argument_spec, pack


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """The controller's half; the module of the same name is the host's."""

    TRANSFERS_FILES = False  # the set travels inside the module's own arguments
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render, check, send once."""
        super().run(tmp, task_vars)
        variables = dict(task_vars or {})
        args = self.validate_argument_spec(argument_spec=argument_spec())[1]
        try:
            render_plan.check_args(args)
            root = self._root(args["src"])
            sources, left_out = render_plan.select(self._sources(root), args["exclude"])
            rendered = self._render(root, sources, variables)
            payload = pack(render_plan.build(args, rendered, left_out))
        except render_plan.TreeError as error:
            raise AnsibleActionFail(f"config_tree {args['name']}: {error}") from error
        del args["content"]
        result: dict[str, Any] = self._execute_module(module_args={**args, "payload": payload}, task_vars=variables)
        return result

    def _root(self, src: str | None) -> Path | None:
        if src is None:
            return None
        try:
            root = Path(self._find_needle("templates", src))
        except AnsibleError as error:
            raise AnsibleActionFail(str(error)) from error
        if not root.is_dir():
            raise render_plan.TreeError(f"src: {root} is not a directory.")
        return root

    def _sources(self, root: Path | None) -> list[str]:
        if root is None:
            return []
        found: list[str] = []
        for directory, names, files in os.walk(root):
            # Python leaves it beside a program that a test has imported.
            names[:] = [name for name in names if name != "__pycache__"]
            for name in names:
                if (Path(directory) / name).is_symlink():
                    raise render_plan.TreeError(f"{Path(directory) / name} is a link to a directory. Use a real one.")
            found.extend((Path(directory) / name).relative_to(root).as_posix() for name in files)
        return found

    def _render(self, root: Path | None, sources: dict[str, str], variables: dict[str, Any]) -> dict[str, str]:
        rendered: dict[str, str] = {}
        templars: dict[Path, Any] = {}
        managed = str(C.config.get_config_value("DEFAULT_MANAGED_STR"))
        own = {**variables, "ansible_managed": variables.get("ansible_managed", managed)}
        for target, source in sources.items():
            path = Path(root or ".") / source
            text = render_plan.decode(str(path), path.read_bytes())
            if source.endswith(render_plan.SUFFIX):
                own["template_path"] = source
                if path.parent not in templars:
                    templars[path.parent] = self._templar.copy_with_new_env(
                        searchpath=self._search_path(path.parent, variables), available_variables=own
                    )
                text = self._render_one(templars[path.parent], path, text)
            rendered[target] = text
        return rendered

    def _render_one(self, templar: Any, path: Path, text: str) -> str:
        try:
            # Same settings as ansible.builtin.template; an empty template yields None.
            result = templar.template(
                trust_as_template(text), escape_backslashes=False, overrides={"trim_blocks": True}
            )
        except AnsibleError as error:
            raise AnsibleActionFail(f"config_tree: {path} cannot be rendered: {error}") from error
        return "" if result is None else str(result)

    def _search_path(self, directory: Path, variables: dict[str, Any]) -> list[str]:
        stack = [*variables.get("ansible_search_path", []), self._loader.get_basedir(), str(directory)]
        return [path for base in stack for path in (str(Path(base) / "templates"), str(base))]
