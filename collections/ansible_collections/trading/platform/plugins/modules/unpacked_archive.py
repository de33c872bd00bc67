#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module unpacked_archive."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unpacked_archive
short_description: Have a vendor's archive unpacked, by its checksum
version_added: 0.2.0
author: trading.platform contributors (@trading)
description:
  - For programs that come as an archive and not as a package. A directory that was unpacked from the archive with this
    checksum is
    left alone, at the cost of reading one line.
  - Fetches from an address or from a file on the host, compares the checksum, unpacks beside the place, and renames.
    The one directory
    at the archive's top is left out, so that V(/opt/x) holds what the archive has below C(x-1.2.3).
  - Everything belongs to root, and only root may write there.
  - A directory with another archive's content is replaced as a whole. Give each version a place of its own to avoid
    that.
options:
  source:
    description: An address, or an absolute path on the host.
    type: str
    required: true
  checksum:
    description: SHA-256 or SHA-512 of the archive, hexadecimal.
    type: str
    required: true
  dest:
    description: The directory.
    type: path
    required: true
  timeout:
    description: Seconds without a byte until fetching fails.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Says whether it would fetch, and fetches nothing.
  diff_mode:
    support: none
    description: There is nothing to show.
"""

EXAMPLES = r"""
- name: Install | The vendor's program
  trading.platform.unpacked_archive:
    source: https://mirror.example/elasticsearch-8.19.0-linux-x86_64.tar.gz
    checksum: "{{ elasticsearch_checksum }}"
    dest: /opt/elasticsearch-8.19.0
"""

RETURN = r"""
dest:
  description: The directory.
  returned: always
  type: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._archive.host import ArchiveError, install, present
from ansible_collections.trading.platform.plugins.module_utils._archive.plan import algorithm


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "str", "required": True},
            "checksum": {"type": "str", "required": True},
            "dest": {"type": "path", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    dest = Path(module.params["dest"])
    try:
        algorithm(module.params["checksum"])
        due = not present(dest, module.params["checksum"])
        if due and not module.check_mode:
            install(module.params["source"], module.params["checksum"], dest, module.params["timeout"])
    except (ArchiveError, OSError, ValueError) as error:
        module.fail_json(msg=str(error), dest=str(dest))
    module.exit_json(changed=due, dest=str(dest))


if __name__ == "__main__":
    main()
