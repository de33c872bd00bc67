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
  hosts:
    description:
      - What these hosts' roles publish, in their order, each element with the key C(host) besides.
      - Without it that of the current host.
      - A host that a C(--limit) leaves out counts all the same; what its roles compute from facts must not be among it.
    type: list
    elements: str
    version_added: 0.2.0
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

- name: What is scraped is what all hosts serve
  hosts: ops
  roles:
    - role: prometheus
      vars:
        prometheus_targets: "{{ lookup('trading.platform.published', 'scrape_targets', hosts=groups['all']) }}"
"""

RETURN = r"""
_raw:
  description:
    - The elements, in the order of site.yml, each with the key C(role) added, and C(host) where O(hosts) was given.
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


def scope_of(host: str, scope: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of another host, as the plays see them: every host takes part, whatever --limit says."""
    hostvars, groups = scope["hostvars"], scope["groups"]
    if host not in groups["all"]:
        raise SiteError(f"{host} is not in the inventory. Correct the list `hosts`.")
    everyone = list(groups["all"])
    play = dict.fromkeys(("ansible_play_hosts_all", "ansible_play_hosts", "ansible_play_batch"), everyone)
    shared = {name: scope[name] for name in ("playbook_dir", "inventory_dir", "ansible_check_mode") if name in scope}
    return {**shared, **hostvars.raw_get(host), **play, "hostvars": hostvars, "groups": groups}


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
            hosts = self.get_option("hosts")
            if hosts is None:
                found = [element for kind in terms for element in self._kind(kind, site, scope, evaluator)]
            else:
                found = [
                    {"host": host, **element}
                    for host in hosts
                    for kind in terms
                    for element in self._kind(kind, site, scope_of(host, scope), evaluator)
                ]
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
