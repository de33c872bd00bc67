#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_certificates
short_description: Keep a host's keys and certificates of an internal CA
version_added: 0.1.0
description:
  - Makes keys on the host, asks for certificates where one is missing, wrong or near its end, and lands signed ones.
  - Any number of certificates in one round trip. When all is well, that one call is all there is.
  - The private keys stay on the host. Requests and certificates travel, and nothing else.
  - Needs the C(openssl) program on the host and no Python library.
options:
  directory:
    description: Where everything lives. Each certificate has a directory of its name in it.
    type: path
    default: /etc/trading-platform/pki
  certificates:
    description: The certificates the host should have. Others that are there already are left alone.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Names the directory. Small letters, digits, C(_) and C(-).
        type: str
        required: true
      common_name:
        description: Subject of the certificate. The name when empty.
        type: str
      dns:
        description: Host names that the certificate stands for.
        type: list
        elements: str
        default: []
      ip:
        description: Addresses that the certificate stands for.
        type: list
        elements: str
        default: []
      usages:
        description: What it may be used for.
        type: list
        elements: str
        choices: [server, client]
        default: [server, client]
      owner:
        description: Owner of the key.
        type: str
        default: root
      group:
        description: Group of the key. Made as a system group when it does not exist.
        type: str
        default: root
      key_mode:
        description: Mode of the key. It may give nothing to others.
        type: str
        default: "0640"
      topic:
        description: What is returned in RV(topics) when the certificate or its chain changed.
        type: str
        default: ""
      role:
        description: Who published it. Not used.
        type: str
  renew_before_days:
    description: A certificate with fewer days left is renewed.
    type: int
    default: 30
  ca_certificate:
    description: The CA that signs, as PEM.
    type: str
    required: true
  also_trusted:
    description: Further CAs that clients trust, as PEM. For the time in which a CA replaces another.
    type: str
    default: ""
  signed:
    description: Signed certificates by name, as answers to RV(requests).
    type: dict
    default: {}
  trust_system:
    description: Have the host's own programs trust the CAs too.
    type: bool
    default: true
  told:
    description: Strike these topics off the host's note, and do nothing else.
    type: list
    elements: str
attributes:
  check_mode:
    description: Predicts, and makes neither keys nor requests.
    support: full
  diff_mode:
    description: Shows why a certificate is due.
    support: full
author: trading.platform contributors (@trading)
"""

EXAMPLES = r"""
- name: Ask for what is due
  trading.platform.host_certificates:
    ca_certificate: "{{ pki_ca_certificate }}"
    certificates:
      - name: nginx
        dns: [lb1.example.com]
        group: www-data
        topic: "certificate renewed: nginx"
  register: look

- name: Put a signed certificate in place
  trading.platform.host_certificates:
    ca_certificate: "{{ pki_ca_certificate }}"
    certificates:
      - name: nginx
        dns: [lb1.example.com]
        group: www-data
        topic: "certificate renewed: nginx"
    signed:
      nginx: "{{ pem_from_the_ca }}"
"""

RETURN = r"""
requests:
  description: Signing requests by certificate name. Empty when nothing is due, and in check mode.
  returned: success
  type: dict
  sample: {nginx: "-----BEGIN CERTIFICATE REQUEST-----..."}
due:
  description: Why a certificate is due, by name.
  returned: success
  type: dict
  sample: {nginx: ["12 days are left, renewal starts at 30"]}
topics:
  description: Topics of the given certificates whose services have yet to be told, from this run or an earlier one.
  returned: success
  type: list
  elements: str
certificates:
  description: Serial and end of the certificates in place, by name.
  returned: success
  type: dict
  sample: {nginx: {serial: 5A0F, not_after: "2027-01-31T10:00:00Z"}}
ansible_facts:
  description: What the rest of the run need not ask again.
  returned: success
  type: dict
  contains:
    pki_settled:
      description: The given certificates that are in place, with nothing left to do. Not with O(told).
      type: list
      elements: str
    pki_untold:
      description: As RV(topics).
      type: list
      elements: str
packages:
  description: Debian packages that have to be installed first.
  returned: success
  type: list
  elements: str
"""

from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._pki.certificates import PkiError
from ..module_utils._pki.work import keep, told

CERTIFICATE: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "common_name": {"type": "str"},
    "dns": {"type": "list", "elements": "str", "default": []},
    "ip": {"type": "list", "elements": "str", "default": []},
    "usages": {
        "type": "list",
        "elements": "str",
        "choices": ["server", "client"],
        "default": ["server", "client"],
    },
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "key_mode": {"type": "str", "default": "0640", "no_log": False},
    "topic": {"type": "str", "default": ""},
    "role": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/etc/trading-platform/pki"},
            "certificates": {"type": "list", "elements": "dict", "default": [], "options": CERTIFICATE},
            "renew_before_days": {"type": "int", "default": 30},
            "ca_certificate": {"type": "str", "required": True},
            "also_trusted": {"type": "str", "default": ""},
            "signed": {"type": "dict", "default": {}},
            "trust_system": {"type": "bool", "default": True},
            "told": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    work = keep if module.params["told"] is None else told
    try:
        outcome = asdict(work(module.params, module.check_mode))
    except (PkiError, OSError) as error:
        module.fail_json(msg=str(error))
    warning = outcome.pop("warning")
    if warning:
        module.warn(warning)
    lines = [f"{name}: {reason}\n" for name, reasons in outcome["due"].items() for reason in reasons]
    facts = {"pki_untold": outcome["topics"]}
    settled = outcome.pop("settled")
    if work is keep:
        facts["pki_settled"] = settled
    diff = {"before": "", "after": "".join(lines), "after_header": "due"}
    module.exit_json(diff=diff, ansible_facts=facts, **outcome)


if __name__ == "__main__":
    main()
