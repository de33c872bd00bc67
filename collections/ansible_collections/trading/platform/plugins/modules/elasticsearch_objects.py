#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module elasticsearch_objects."""

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticsearch_objects
short_description: Bring index templates, retention and cluster settings of Elasticsearch into their state
version_added: 0.2.0
author: trading.platform contributors (@trading)
description:
  - Reads what the cluster has, works out what differs, and puts that. What is as it should be costs one question each.
  - Objects that are not listed are left alone; nothing is ever deleted.
  - Streams that exist keep the retention that their template had when they were made, so they are told a changed one.
    A build of
    Elasticsearch without the function for that leaves it to whoever deletes there.
options:
  nodes:
    description: Addresses, such as C(https://ops1:9200). The first one that answers is asked.
    type: list
    elements: str
    required: true
  ca:
    description: CA of the nodes' certificates.
    type: path
    required: true
  user:
    description: User who may manage templates, streams and settings.
    type: str
    required: true
  password:
    description: The user's password.
    type: str
    required: true
  templates:
    description: Index templates by name, each as Elasticsearch's API wants it.
    type: dict
    default: {}
  retentions:
    description:
      - How long data streams keep their documents, such as V(30d), by name. A stream that does not exist yet takes
        its template's.
    type: dict
    default: {}
  settings:
    description: Persistent settings of the cluster, by dotted name.
    type: dict
    default: {}
  wait:
    description: How many seconds to wait for the cluster to be well.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    description: A cluster that does not answer is a predicted change with a warning.
  diff_mode:
    support: full
    description: Shows what of an object changes.
"""

EXAMPLES = r"""
- name: Configure | Templates and retention
  trading.platform.elasticsearch_objects:
    nodes: ["https://ops1:9200"]
    ca: /etc/trading-platform/pki/elasticsearch/ca.pem
    user: admin
    password: "{{ elasticsearch_admin_password }}"
    templates:
      logs-app:
        index_patterns: ["logs-app-*"]
        priority: 200
        data_stream: {}
        template: {lifecycle: {data_retention: 90d}}
    retentions: {logs-app-prod: 90d}
"""

RETURN = r"""
calls:
  description: What was put, or would be, in words.
  returned: success
  type: list
  elements: str
  sample: ["template logs-app: change"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._elasticsearch.client import (
    Elasticsearch,
    ElasticsearchError,
)
from ansible_collections.trading.platform.plugins.module_utils._elasticsearch.objects import (
    Call,
    problems,
    retention_calls,
    setting_calls,
    shown,
    template_calls,
)


def plan(cluster: Elasticsearch, params: dict[str, Any]) -> list[Call]:
    """What differs, in an order in which each finds what it needs."""
    calls: list[Call] = []
    if params["settings"]:
        present = cluster.ask("GET", "/_cluster/settings?flat_settings=true").get("persistent", {})
        calls += setting_calls(present, params["settings"])
    if params["templates"]:
        found = cluster.if_there("/_index_template/*") or {}
        present = {one["name"]: one["index_template"] for one in found.get("index_templates", [])}
        calls += template_calls(present, params["templates"])
    if params["retentions"]:
        found = cluster.if_there("/_data_stream/*") or {}
        streams = {one["name"]: one for one in found.get("data_streams", [])}
        present = {name: one.get("lifecycle", {}).get("data_retention", "for ever") for name, one in streams.items()}
        calls += retention_calls(present, params["retentions"])
    return calls


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "nodes": {"type": "list", "elements": "str", "required": True},
            "ca": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "templates": {"type": "dict", "default": {}},
            "retentions": {"type": "dict", "default": {}},
            "settings": {"type": "dict", "default": {}},
            "wait": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    params = module.params
    wrong = problems(params["templates"], params["retentions"])
    if wrong:
        module.fail_json(msg=f"{'; '.join(wrong)}. Nothing was changed.")
    done: list[str] = []
    try:
        cluster = Elasticsearch(params["nodes"], params["ca"], params["user"], params["password"])
        cluster.wait(0 if module.check_mode else params["wait"])
        calls = plan(cluster, params)
        for call in [] if module.check_mode else calls:
            cluster.ask(call.method, call.path, dict(call.body))
            done.append(call.words)
    except (ElasticsearchError, OSError) as error:
        if module.check_mode and getattr(error, "status", 0) == 0:
            module.warn(f"Elasticsearch does not answer yet, so everything is taken for missing: {error}")
            module.exit_json(changed=True, calls=[f"template {name}: add" for name in sorted(params["templates"])])
        module.fail_json(msg=f"{error} Done before that: {', '.join(done) or 'nothing'}.", calls=done)
    module.exit_json(changed=bool(calls), calls=[call.words for call in calls], diff=shown(calls))


if __name__ == "__main__":
    main()
