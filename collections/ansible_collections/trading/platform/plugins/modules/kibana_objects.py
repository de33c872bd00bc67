#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kibana_objects
short_description: Have a Kibana's data views, searches and dashboards as they are listed
version_added: 0.2.0
author: trading.platform contributors (@trading)
description:
  - Compares saved objects with what a Kibana has, and imports those that are missing or different, by its HTTP API.
  - Waits until Kibana is available. No program and no Python library is needed on the host.
  - What somebody changed in a browser is put back. Objects that are not listed are left alone.
options:
  url:
    description: Its address, such as C(https://10.0.0.1:5601).
    type: str
    required: true
  ca:
    description: File with the CA that its certificate is checked against.
    type: path
    required: true
  user:
    description: Who imports, a user of Elasticsearch with C(space_all) of C(kibana-.kibana).
    type: str
    required: true
  password:
    description: The password of O(user).
    type: str
    required: true
  objects:
    description:
      - Saved objects as Kibana's export has them, with C(type), C(id), C(attributes) and C(references).
      - What an object refers to has to be among them.
    type: list
    elements: dict
    required: true
  memory:
    description:
      - File on the host that remembers objects which Kibana writes otherwise than they were given, as a release that
        migrates them does. Without it they would be imported at every run. A lost file costs one more import.
    type: path
    default: /var/lib/trading-platform/kibana/objects.json
  timeout:
    description: How many seconds to wait until Kibana is available.
    type: int
    default: 180
attributes:
  check_mode:
    support: full
    description: Where Kibana cannot be asked yet, as on an empty host, every object is predicted as missing.
  diff_mode:
    support: full
    description: One line for each object that is imported.
"""

EXAMPLES = r"""
- name: Bring the data views
  trading.platform.kibana_objects:
    url: https://10.0.0.1:5601
    ca: /etc/trading-platform/pki/kibana/ca.pem
    user: kibana_import
    password: "{{ vault_kibana_import_password }}"
    objects:
      - type: index-pattern
        id: logs-app
        attributes: {title: logs-app-*, name: App, timeFieldName: "@timestamp"}
        references: []
"""

RETURN = r"""
steps:
  description: What was done, or in check mode would be.
  returned: always
  type: list
  elements: str
  sample: ["index-pattern logs-app: add"]
"""

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._kibana.client import Kibana, KibanaError
from ansible_collections.trading.platform.plugins.module_utils._kibana.objects import (
    Saved,
    Step,
    remembered,
    steps,
    wanted,
)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "ca": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "objects": {"type": "list", "elements": "dict", "required": True},
            "memory": {"type": "path", "default": "/var/lib/trading-platform/kibana/objects.json"},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    try:
        done = converge(module, wanted(module.params["objects"]))
    except (KibanaError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    words = [step.words for step in done]
    diff = {"before": "", "after": "".join(f"{line}\n" for line in words)}
    module.exit_json(changed=bool(done), steps=words, **({"diff": diff} if done else {}))


def converge(module: AnsibleModule, want: list[Saved]) -> list[Step]:
    """Look, plan, and where it is not a check, do."""
    given = module.params
    nothing = steps(want, [], {})
    # In check mode the certificate may not exist yet.
    if module.check_mode and not Path(given["ca"]).exists():
        return nothing
    timeout = 0 if module.check_mode else given["timeout"]
    kibana = Kibana(given["url"], given["ca"], given["user"], given["password"], timeout)
    try:
        kibana.wait()
    except KibanaError as error:
        if not module.check_mode:
            raise
        module.warn(f"{error} The prediction takes it for empty.")
        return nothing
    kinds = {str(one["type"]) for one in want}
    memory = Path(given["memory"])
    due = steps(want, kibana.objects(sorted(kinds)), known(memory))
    if due and not module.check_mode:
        kibana.bring([step.object for step in due])
        keep(memory, remembered(want, kibana.objects(sorted(kinds))))
    return due


def known(memory: Path) -> dict[str, Any]:
    """Nothing where it cannot be read: one import more, and it is written anew."""
    try:
        said = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def keep(memory: Path, digests: dict[str, list[str]]) -> None:
    memory.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = memory.with_suffix(".new")
    new.write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    new.replace(memory)


if __name__ == "__main__":
    main()
