#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module elasticsearch_erasure."""

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticsearch_erasure
short_description: Count or delete one person's documents in all log streams
version_added: 0.2.0
author: trading.platform contributors (@trading)
description:
  - Counts the documents of all streams C(logs-*) whose C(user.id) is the given one. Deletes them only where the id is
    given a second time.
  - Deletes by document in the indices behind the streams, page by page, until none is found.
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
  login_user:
    description: User who may read and delete.
    type: str
    required: true
  login_password:
    description: The user's password.
    type: str
    required: true
  user_id:
    description: Whose documents.
    type: str
    required: true
  confirm:
    description: The same as O(user_id), typed by a person. Otherwise documents are only counted.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Counts.
  diff_mode:
    support: none
    description: There is nothing to show but the counts.
"""

EXAMPLES = r"""
- name: What is there of a person who asks to be forgotten
  trading.platform.elasticsearch_erasure:
    nodes: ["https://ops1:9200"]
    ca: /etc/trading-platform/pki/elasticsearch/ca.pem
    login_user: admin
    login_password: "{{ elasticsearch_admin_password }}"
    user_id: "4711"
"""

RETURN = r"""
counts:
  description: Documents by stream, before anything was deleted.
  returned: success
  type: dict
  sample: {"logs-app-prod": 12}
report:
  description: The same in words, and what was done.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._elasticsearch import erasure
from ansible_collections.trading.platform.plugins.module_utils._elasticsearch.client import (
    Elasticsearch,
    ElasticsearchError,
)


def counted(cluster: Elasticsearch, user_id: str) -> dict[str, int]:
    """By stream. What was written a moment ago is made visible first."""
    streams = [one["name"] for one in cluster.ask("GET", "/_resolve/index/logs-*").get("data_streams", [])]
    if streams:
        cluster.ask("POST", "/logs-*/_refresh")
    return {
        name: int(cluster.ask("POST", f"/{name}/_count", {"query": erasure.query(user_id)})["count"])
        for name in streams
    }


def erase(cluster: Elasticsearch, user_id: str) -> None:
    while True:
        hits = cluster.ask("POST", "/logs-*/_search", erasure.page(user_id))["hits"]["hits"]
        if not hits:
            return
        failed = erasure.failures(cluster.ask("POST", "/_bulk?refresh=true", erasure.deletions(hits)))
        if failed:
            raise ElasticsearchError(
                f"{len(failed)} documents could not be deleted, the first: {failed[0]}. Run it again."
            )


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "nodes": {"type": "list", "elements": "str", "required": True},
            "ca": {"type": "path", "required": True},
            "login_user": {"type": "str", "required": True},
            "login_password": {"type": "str", "required": True, "no_log": True},
            "user_id": {"type": "str", "required": True},
            "confirm": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    user_id, confirm = params["user_id"], params["confirm"]
    wrong = erasure.problem(user_id)
    if wrong:
        module.fail_json(msg=wrong)
    if confirm and confirm != user_id:
        module.fail_json(
            msg=f"confirm is {confirm!r} and user_id is {user_id!r}. Nothing was deleted; type the same id twice."
        )
    try:
        cluster = Elasticsearch(params["nodes"], params["ca"], params["login_user"], params["login_password"])
        counts = counted(cluster, user_id)
        due = bool(confirm) and any(counts.values())
        if due and not module.check_mode:
            erase(cluster, user_id)
    except (ElasticsearchError, OSError) as error:
        module.fail_json(msg=str(error))
    lines = erasure.report(user_id, counts, due and not module.check_mode, bool(confirm))
    module.exit_json(changed=due, counts=counts, report=lines)


if __name__ == "__main__":
    main()
