#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module registry_image."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_image
short_description: Ask an image registry which digests a tag names
version_added: 0.3.0
author: trading.platform contributors (@trading)
description:
  - Resolves images to digests by the registry's API, before anything is pulled, and changes nothing.
  - Credentials are those of root's C(~/.docker/config.json), the CA that of C(/etc/docker/certs.d/<registry>/ca.crt).
  - An unknown image or tag fails with the list of those that exist.
options:
  registry:
    description: Address of the registry, with its port.
    type: str
    required: true
  images:
    description: Names of images within the registry. One that names a tag or digest itself keeps it.
    type: list
    elements: str
    required: true
  tag:
    description: The tag of the others.
    type: str
    required: true
  expected:
    description: Digests by image, as a build reported them. Another one fails.
    type: dict
    default: {}
  timeout:
    description: Seconds for one answer.
    type: int
    default: 10
attributes:
  check_mode:
    support: full
    description: It only asks.
  diff_mode:
    support: none
    description: There is nothing to show.
"""

EXAMPLES = r"""
- name: What v2 is
  trading.platform.registry_image:
    registry: registry.example.com:5000
    images: [trading/app]
    tag: v2
  register: resolved
"""

RETURN = r"""
images:
  description: By image, C(registry/name@sha256:...).
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._registry.client import Registry
from ansible_collections.trading.platform.plugins.module_utils._registry.model import RegistryError, moved, split


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "registry": {"type": "str", "required": True},
            "images": {"type": "list", "elements": "str", "required": True},
            "tag": {"type": "str", "required": True},
            "expected": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    args = module.params
    try:
        registry = Registry(args["registry"], args["timeout"])
        names = {image: split(image, args["tag"]) for image in sorted(set(args["images"]))}
        digests = {image: registry.digest(*wanted) for image, wanted in names.items()}
    except (RegistryError, OSError, ValueError) as error:
        module.fail_json(msg=f"{error} Nothing was changed.")
    wrong = moved(digests, args["expected"])
    if wrong:
        module.fail_json(msg=f"{' '.join(wrong)} Nothing was changed.")
    images = {image: f"{args['registry']}/{names[image][0]}@{digest}" for image, digest in digests.items()}
    module.exit_json(changed=False, images=images)


if __name__ == "__main__":
    main()
