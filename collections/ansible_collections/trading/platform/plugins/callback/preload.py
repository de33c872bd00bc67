# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: preload
type: aggregate
short_description: Loads once what every task of every host would load for itself
version_added: 0.2.0
author: trading.platform contributors (@trading)
description:
  - Ansible forks a process for each task of each host. What its parent has imported by then is there already; what is
    not, such as the filters of a collection, is imported again in each of them.
  - This imports them in the parent, when the playbook begins. It prints nothing and changes nothing. Where one cannot
    be loaded, the task that needs it says so, as without this plugin.
requirements:
  - C(trading.platform.preload) in E(ANSIBLE_CALLBACKS_ENABLED) or C(callbacks_enabled) of C(ansible.cfg)
"""

EXAMPLES = r"""
ansible.cfg: |
  [defaults]
  callbacks_enabled = trading.platform.preload
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible.plugins import loader
from ansible.plugins.callback import CallbackBase

OWN_FILTERS = sorted(path.stem for path in (Path(__file__).parent.parent / "filter").glob("*.yml"))
NEEDED = {
    loader.filter_loader: [*(f"trading.platform.{name}" for name in OWN_FILTERS), "community.general.dict_kv"],
    loader.test_loader: ["ansible.builtin.match"],
    loader.lookup_loader: ["trading.platform.published"],
    loader.action_loader: ["ansible.builtin.normal", "ansible.builtin.validate_argument_spec"],
    loader.connection_loader: ["ansible.builtin.ssh", "ansible.builtin.local"],
    loader.become_loader: ["ansible.builtin.sudo"],
    loader.shell_loader: ["ansible.builtin.sh"],
}


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core ships no types
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "trading.platform.preload"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: Any) -> None:
        for plugins, names in NEEDED.items():
            for name in names:
                # Whatever a plugin's import may raise is its user's to tell.
                with suppress(Exception):
                    plugins.get(name, class_only=True)
