# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812
from ansible import context
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.trading.platform.plugins.module_utils._preflight import secrets
from ansible_collections.trading.platform.plugins.module_utils._preflight.arguments import SPEC
from ansible_collections.trading.platform.plugins.module_utils._preflight.problem import listing, report
from ansible_collections.trading.platform.plugins.module_utils._site.client import role_names
from ansible_collections.trading.platform.plugins.module_utils._site.model import SiteError
from ansible_collections.trading.platform.plugins.plugin_utils._inspection import (
    Inspection,
    Settings,
    environment_of,
    inventory_files,
)
from ansible_collections.trading.platform.plugins.plugin_utils._remembered import fingerprint, keep, recalled
from ansible_collections.trading.platform.plugins.plugin_utils._site import Evaluator, roles_path, site_path


class ActionModule(ActionBase):  # type: ignore[misc]
    """Reads the inventory on the controller; no host is contacted."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        started = time.monotonic()
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, args = self.validate_argument_spec(argument_spec=SPEC)
        try:
            settings = self._settings(args, task_vars)
            memory = Path(args["remembered"], environment_of(settings.sources)) if args["remembered"] else None
            now = self._fingerprint(settings) if memory else ""
            if memory and (said := recalled(memory, now)):
                return {**result, **said, "seconds": round(time.monotonic() - started, 2)}
            inspection = self._inspection(settings, task_vars)
            problems = inspection.problems()
        except (SiteError, OSError) as exc:
            return {**result, "failed": True, "msg": f"preflight could not read the site; nothing was changed: {exc}"}
        errors = [problem for problem in problems if not problem.warning]
        warnings = [problem for problem in problems if problem.warning]
        hosts = len(inspection.hosts)
        said = {
            "changed": False,
            "hosts": hosts,
            "roles": inspection.roles_given(),
            "variables": inspection.checked,
            "warnings": [listing([warning], hosts).strip() for warning in warnings],
        }
        if errors:
            said.update(failed=True, msg=report(errors, warnings, inspection.inventory, hosts), warnings=[])
        elif memory:
            keep(memory, now, said)
        return {**result, **said, "seconds": round(time.monotonic() - started, 2)}

    def _settings(self, args: dict[str, Any], task_vars: dict[str, Any]) -> Settings:
        site = site_path(args["site"], task_vars, C.CONFIG_FILE)
        given = {name: value for name, value in args.items() if name not in ("site", "roles_path", "remembered")}
        return Settings(
            site=site,
            roles_path=args["roles_path"] or roles_path(site, C.DEFAULT_ROLES_PATH),
            sources=[str(source) for source in task_vars.get("ansible_inventory_sources") or ()],
            limit=str(task_vars.get("ansible_limit") or ""),
            **given,
        )

    def _fingerprint(self, settings: Settings) -> str:
        """All that the answer hangs on, but for what the inventory reads outside of its files."""
        beside = [Path(source).parent / name for source in settings.sources for name in ("group_vars", "host_vars")]
        site, checks = Path(settings.site), Path(__file__).parents[1]
        passwords = [list(context.CLIARGS.get(name) or ()) for name in ("vault_ids", "vault_password_files")]
        text = "".join(text for _path, text in inventory_files(settings.sources))
        decides = re.compile(
            "|".join([*(f"^{name}_" for name in role_names(settings.roles_path)), "^(ansible|vault)_"])
        )
        # The operation's own words, as `release`, mean nothing to the inventory.
        extra = {
            name: value
            for name, value in load_extra_vars(self._loader).items()
            if decides.search(name) or re.search(rf"\b{re.escape(name)}\b", text)
        }
        password = secrets.password_file(environment_of(settings.sources), os.environ)
        trees: list[str | Path] = [
            *settings.sources,
            *beside,
            site,
            site.parent / "playbooks",
            checks,
            *settings.roles_path,
            password,
        ]
        return fingerprint(trees, vars(settings), passwords, extra)

    def _inspection(self, settings: Settings, task_vars: dict[str, Any]) -> Inspection:
        hostvars = task_vars["hostvars"]
        groups = task_vars["groups"]
        everyone = list(groups["all"])

        def host_vars(host: str) -> dict[str, object]:
            # As the plays see them: every host takes part, whatever --limit says.
            play = dict.fromkeys(("ansible_play_hosts_all", "ansible_play_hosts", "ansible_play_batch"), everyone)
            return {**hostvars.raw_get(host), **play, "hostvars": hostvars}

        return Inspection(settings, groups, host_vars, Evaluator(self._templar, self._loader))
