# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from typing import Any

from ansible import constants as C  # noqa: N812
from ansible.plugins.action import ActionBase
from ansible_collections.trading.platform.plugins.module_utils._preflight.arguments import SPEC
from ansible_collections.trading.platform.plugins.module_utils._preflight.problem import listing, report
from ansible_collections.trading.platform.plugins.module_utils._site.model import SiteError
from ansible_collections.trading.platform.plugins.plugin_utils._inspection import Inspection, Settings
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
            inspection = self._inspection(args, task_vars)
            problems = inspection.problems()
        except (SiteError, OSError) as exc:
            return {**result, "failed": True, "msg": f"preflight could not read the site; nothing was changed: {exc}"}
        errors = [problem for problem in problems if not problem.warning]
        warnings = [problem for problem in problems if problem.warning]
        hosts = len(inspection.hosts)
        result.update(
            changed=False,
            hosts=hosts,
            roles=inspection.roles_given(),
            variables=inspection.checked,
            seconds=round(time.monotonic() - started, 2),
        )
        if errors:
            result.update(failed=True, msg=report(errors, warnings, inspection.inventory, hosts))
        elif warnings:
            result["warnings"] = [listing([warning], hosts).strip() for warning in warnings]
        return result

    def _inspection(self, args: dict[str, Any], task_vars: dict[str, Any]) -> Inspection:
        site = site_path(args.pop("site"), task_vars, C.CONFIG_FILE)
        settings = Settings(
            site=site,
            roles_path=args.pop("roles_path") or roles_path(site, C.DEFAULT_ROLES_PATH),
            sources=[str(source) for source in task_vars.get("ansible_inventory_sources") or ()],
            limit=str(task_vars.get("ansible_limit") or ""),
            **args,
        )
        hostvars = task_vars["hostvars"]
        groups = task_vars["groups"]
        everyone = list(groups["all"])

        def host_vars(host: str) -> dict[str, object]:
            # As the plays see them: every host takes part, whatever --limit says.
            play = dict.fromkeys(("ansible_play_hosts_all", "ansible_play_hosts", "ansible_play_batch"), everyone)
            return {**hostvars.raw_get(host), **play, "hostvars": hostvars}

        return Inspection(settings, groups, host_vars, Evaluator(self._templar, self._loader))
