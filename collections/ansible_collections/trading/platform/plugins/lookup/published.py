# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: published
short_description: What the roles of this host publish for others
version_added: 0.1.0
author: trading.platform contributors (@trading)
description:
  - Concatenates the variable C(<role>_<kind>) of every role that site.yml gives to the current host.
  - Each variable is evaluated with the role's own defaults and vars under the host's variables, so that what the
    inventory overrides wins, and a role need not have run yet.
  - A play hands the result over, for example the firewall openings to the firewall role. No role knows another.
options:
  _terms:
    description: Kinds, for example V(firewall_openings) or V(listens).
    required: true
  roles:
    description: Only what these roles publish. Empty means every role of the host.
    type: list
    elements: str
    default: []
  site:
    description: Path of site.yml. Without it the nearest in or above the playbook's directory, then beside ansible.cfg.
    type: path
"""

EXAMPLES = r"""
- name: Open what the roles of the host need
  hosts: all
  roles:
    - role: firewall
      vars:
        firewall_openings: "{{ lookup('trading.platform.published', 'firewall_openings') }}"

- name: Certificates are asked for in the play of the service that takes up a renewed one
  hosts: etcd
  roles:
    - role: pki
      vars:
        pki_certificates: "{{ lookup('trading.platform.published', 'certificates', roles=['etcd']) }}"
    - role: etcd
"""

RETURN = r"""
_raw:
  description: The elements, in the order of site.yml, each with the key C(role) added.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible import constants as C  # noqa: N812
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.trading.platform.plugins.module_utils._site import client
from ansible_collections.trading.platform.plugins.module_utils._site.model import (
    Role,
    RoleUse,
    SiteError,
    published,
    roles_of_host,
)
from ansible_collections.trading.platform.plugins.module_utils._site.patterns import resolve
from ansible_collections.trading.platform.plugins.plugin_utils._site import Evaluator, roles_path, site_path


class LookupModule(LookupBase):  # type: ignore[misc]
    def run(self, terms: list[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """One list per term, concatenated; wrapped so that `lookup` with one term returns the list itself."""
        self.set_options(var_options=variables, direct=kwargs)
        scope = dict(variables or {})
        if "inventory_hostname" not in scope:
            raise AnsibleLookupError("published needs a host: use it in a play or a task, not before one")
        try:
            site = site_path(self.get_option("site"), scope, C.CONFIG_FILE)
            evaluator = Evaluator(self._templar, self._loader)
            found = [element for kind in terms for element in self._kind(kind, site, scope, evaluator)]
        except SiteError as exc:
            raise AnsibleLookupError(f"published {', '.join(terms)}: {exc}") from exc
        return [found]

    def _kind(self, kind: str, site: str, scope: Mapping[str, Any], evaluator: Evaluator) -> list[dict[str, object]]:
        paths = roles_path(site, C.DEFAULT_ROLES_PATH)
        groups = scope["groups"]
        host = str(scope["inventory_hostname"])
        plays = client.plays(site, evaluator.load)
        given = roles_of_host(plays, host, lambda pattern: resolve(evaluator.text(pattern, scope), groups))
        wanted = self.get_option("roles")
        uses: list[tuple[Role, RoleUse]] = []
        for use in given:
            if wanted and use.role not in wanted:
                continue
            name = f"{use.role}_{kind}"
            if name in scope or client.publishes(use.role, kind, paths):
                role = client.role(use.role, paths, evaluator.load)
                if role:
                    uses.append((role, use))
        return published(uses, kind, scope, evaluator.value)
