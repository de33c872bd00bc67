# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of packages: look, and have apt bring what is missing. The module has the docs."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.trading.platform.plugins.module_utils._packages.status import (
    PackagesError,
    describe,
    in_inventory,
    to_reinstall,
    verdict,
    wanted,
)

SPEC = {
    "name": {"type": "list", "elements": "str", "required": True},
    "install_recommends": {"type": "bool", "default": False},
    "cache_valid_time": {"type": "int", "default": 172800},
}
QUIET = ["env", "DEBIAN_FRONTEND=noninteractive"]
KEEP = ["--option=Dpkg::Options::=--force-confdef", "--option=Dpkg::Options::=--force-confold"]
PATIENT = [*QUIET, "apt-get", "--yes", "--option=DPkg::Lock::Timeout=300"]
# A repair that nobody asked for may not decide to remove packages: it fails, and a person looks.
FIX = [*PATIENT, *KEEP, "--no-install-recommends", "--no-remove", "--fix-broken", "--reinstall", "install"]
# Until one is enough. A package that was killed while its files were unpacked has to be fetched again, which takes
# lists that know it.
REPAIRS = (
    [*QUIET, "dpkg", "--configure", "-a", "--force-confdef", "--force-confold"],
    FIX,
    [*PATIENT, "update"],
    FIX,
)


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    _supports_check_mode = True
    _supports_diff = True
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self._vars = task_vars or {}
        _unused, self._given = self.validate_argument_spec(argument_spec=SPEC)
        try:
            names = wanted(self._given["name"])
        except PackagesError as error:
            raise AnsibleActionFail(str(error)) from None
        # Preflight has read dpkg's records of every host in this run, and nothing here removes a package.
        if in_inventory(names, str(self._vars.get("ansible_facts", {}).get("installed_packages") or "")):
            return {"changed": False, "missing": [], "interrupted": {}}
        self._names = [one.entry for one in names]
        before = self._look()
        if before.get("failed") or not (before["missing"] or before["interrupted"]):
            return before
        result = {**before, "changed": True, "diff": describe(before["missing"], before["interrupted"])}
        return result if self._task.check_mode else {**result, **self._bring(before)}

    def _bring(self, before: dict[str, Any]) -> dict[str, Any]:
        """Finish, install, and look again. What the host then has decides, not an exit code."""
        seen, said = before, ""
        for repair in REPAIRS:
            if not seen.get("failed") and seen["interrupted"]:
                again = to_reinstall(seen["interrupted"]) if repair is FIX else []
                said = self._words(repair[2], "ansible.legacy.command", {"argv": [*repair, *again]})
                seen = self._look()
        if not seen.get("failed") and seen["missing"]:
            said = self._install(seen["missing"])
            seen = self._look()
        if seen.get("failed"):
            return seen
        result: dict[str, Any] = {"installed": [name for name in before["missing"] if name not in seen["missing"]]}
        if seen["missing"] or seen["interrupted"]:
            result.update(failed=True, msg=verdict(seen["missing"], seen["interrupted"], said))
        return result

    def _install(self, missing: list[str]) -> str:
        """Twice where needed: young lists too may not know a package, or name a version that is gone."""
        options = {
            "name": missing,
            "install_recommends": self._given["install_recommends"],
            "dpkg_options": "force-confdef,force-confold",
            "lock_timeout": 300,
        }
        said = self._words("apt", "ansible.legacy.apt", options | {"cache_valid_time": self._given["cache_valid_time"]})
        return said and self._words("apt", "ansible.legacy.apt", options | {"update_cache": True})

    def _words(self, who: str, module: str, arguments: dict[str, Any]) -> str:
        """What it complained about, when it failed."""
        answer = self._run(module, arguments)
        words = str(answer.get("stderr") or answer.get("msg") or "").strip()
        return f"{who} said: {words}" if answer.get("failed") else ""

    def _look(self) -> dict[str, Any]:
        return self._run("trading.platform.packages", {"name": self._names})

    def _run(self, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(module_name=module, module_args=arguments, task_vars=self._vars)
        return answer
