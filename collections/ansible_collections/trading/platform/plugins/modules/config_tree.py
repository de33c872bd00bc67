#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module config_tree: the host's half; the action plugin of the same name renders and sends."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_tree
short_description: Render a directory of templates and land all of it in one round trip
version_added: 0.1.0
author: trading.platform contributors (@trading)
description:
  - Renders every C(*.j2) file below a directory on the controller, the way M(ansible.builtin.template) does, and
    lands the whole set on the host with one module call. A set of forty files costs about as much as one file.
  - Nothing is moved into place before the whole set is staged and every validation has passed. A failed validation,
    an unknown owner or a full disk leave all old files as they were.
  - Each file is replaced atomically, with its owner and mode already set. A symbolic link at the destination is
    replaced, not followed. A directory is never replaced by a file.
  - A manifest at C(/var/lib/trading-platform/config_tree/<name>.json) remembers what the set placed, so that files
    which leave the set leave the host, and which commands of O(apply) are still due, so that a run that was killed or
    failed is completed by the next one.
notes:
  - All globs are matched against the path relative to O(dest), such as C(etc/ssh/sshd_config). C(*) and C(?) stay
    within one directory, C(**) crosses directories. A leading slash is ignored.
  - A pattern without wildcard that names no file of the set is an error, because it is nearly always a misspelling.
    Write a glob for a file that is there only sometimes. A file left out by O(exclude) may still be named.
  - Templates know what M(ansible.builtin.template) templates know of the play. Of the variables which that module
    adds, there are C(ansible_managed), without a timestamp, and C(template_path), the path below O(src).
  - Commands are split into words and run without a shell, in C(/), with the system's standard C(PATH).
options:
  name:
    description:
      - The name of the set on the host. Two tasks with different files need different names.
      - A file that another set has taken over is left alone when it leaves this one.
    type: str
    required: true
  src:
    description:
      - A directory, searched for like the O(ansible.builtin.template#module:src) of M(ansible.builtin.template), that
        is below the role's C(templates/).
      - The path of a file below it is its path below O(dest). Files ending in C(.j2) are rendered and lose the ending,
        others are copied as they are. Only UTF-8 text is accepted.
    type: str
  dest:
    description: The absolute path of the directory that O(src) stands for.
    type: str
    default: /
  content:
    description:
      - Files that come from data rather than from a template, as a map from the path relative to O(dest) to the text.
      - A path must not be in O(src) as well.
      - An empty map without O(src) is an empty set; with O(prune) it removes what the set placed.
    type: dict
  exclude:
    description: Globs of files of O(src) that are not part of the set this time, by their name with or without C(.j2).
    type: list
    elements: str
    default: []
  modes:
    description:
      - Owners and modes. Where several entries match, a later one wins, key by key.
      - Without an entry a file is C(root:root) with mode C("0644").
    type: list
    elements: dict
    default: []
    suboptions:
      match:
        description:
          - A glob. One that ends in C(/) is about directories, C(root:root) with mode C("0755") where none matches.
          - A directory without an entry is created where it is missing and left alone where it exists. One with an
            entry is corrected too. An entry without wildcard, such as C(etc/keys/), creates its directory even when no
            file of the set lies in it.
        type: str
        required: true
      owner:
        description: User name or number.
        type: str
      group:
        description: Group name or number.
        type: str
      mode:
        description: Octal and quoted, such as C("0640").
        type: str
  validate:
    description: Commands that check one new or changed file before anything is moved.
    type: list
    elements: dict
    default: []
    suboptions:
      match:
        description: A glob.
        type: str
        required: true
      command:
        description: The command, with C(%s) for the path of the staged file, such as C(visudo -cf %s).
        type: str
        required: true
  validate_set:
    description:
      - Commands that check the set as a whole before anything is moved. They run when a file is new, changed or
        removed.
      - C(%s) is a directory that holds the whole new set under its relative paths.
    type: list
    elements: str
    default: []
  secret:
    description:
      - Globs of files whose content is never shown. Their diff is replaced by a note, also when they are removed. The
        output of a failed check of such a file is hidden, and its words are cut out of other commands' output.
      - Contents are never in the result without C(--diff), secret or not.
    type: list
    elements: str
    default: []
  prune:
    description:
      - Whether to remove files that this set placed earlier and that are no longer part of it, and directories that it
        created, once they are empty.
    type: bool
    default: true
  apply:
    description:
      - Commands that make services take up what has changed. They run on the host, in the same round trip, after all
        files have landed, in the listed order, each at most once.
      - The first one that fails ends the task. It and those after it stay due and run at the next run, even if no file
        changes then; that run reports C(changed).
    type: list
    elements: dict
    default: []
    suboptions:
      match:
        description: Globs. The command is due when a file that one of them matches was changed or removed.
        type: list
        elements: str
        required: true
      command:
        description: The command, such as C(systemctl reload ssh).
        type: str
        required: true
  payload:
    description: The rendered set, compressed. The action plugin fills it in; a task does not.
    type: str
attributes:
  check_mode:
    support: full
    description: Works on a host where directories, users or the validating program do not exist yet, and warns of them.
  diff_mode:
    support: full
    description: Shows every file, apart from secret ones.
"""

EXAMPLES = r"""
- name: Configure | Land the SSH server's configuration
  trading.platform.config_tree:
    name: base_ssh
    src: ssh
    modes:
      - match: etc/ssh/sshd_config.d/
        mode: "0755"
      - match: etc/ssh/sshd_config.d/*.conf
        mode: "0600"
    validate:
      - match: etc/ssh/sshd_config.d/*.conf
        command: sshd -t -f %s
    apply:
      - match: [etc/ssh/**]
        command: systemctl reload ssh

- name: Configure | Land one sudo rule per administrator, and remove those of former ones
  trading.platform.config_tree:
    name: base_sudo
    content: "{{ __base_sudo_files }}"
    modes:
      - match: etc/sudoers.d/*
        mode: "0440"
    validate:
      - match: etc/sudoers.d/*
        command: visudo -cf %s

- name: Configure | Land a service with its password file, without a word of it in the diff
  trading.platform.config_tree:
    name: pgbouncer
    src: pgbouncer
    dest: /etc/pgbouncer
    exclude: "{{ [] if pgbouncer_tls else ['tls.ini.j2'] }}"
    modes:
      - match: "**"
        group: postgres
        mode: "0640"
    secret: [userlist.txt]
  register: __pgbouncer_files
"""

RETURN = r"""
changed_files:
  description: Files that were written or whose owner or mode was corrected, sorted. In check mode those that would be.
  returned: always
  type: list
  elements: str
  sample: [/etc/ssh/sshd_config.d/50-platform.conf]
removed_files:
  description: Files that were removed because they left the set, sorted.
  returned: always
  type: list
  elements: str
  sample: [/etc/sudoers.d/old-admin]
changed_dirs:
  description: Directories that were created, corrected or removed, sorted.
  returned: always
  type: list
  elements: str
  sample: [/etc/keys]
applied:
  description: Commands of O(apply) that were run, in order. In check mode those that would run.
  returned: always
  type: list
  elements: str
  sample: [systemctl reload ssh]
pending:
  description: Commands of O(apply) that are still due.
  returned: when one of them failed
  type: list
  elements: str
  sample: [systemctl reload ssh]
file:
  description: The file that failed; empty when the set as a whole failed validation.
  returned: when a file or a validation failed
  type: str
  sample: /etc/sudoers.d/admin
command:
  description: The command that failed.
  returned: when a command failed
  type: str
  sample: visudo -cf %s
stderr:
  description: What the failed command said.
  returned: when a command failed
  type: str
  sample: "syntax error near line 3"
"""

import contextlib

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._config_tree import plan
from ansible_collections.trading.platform.plugins.module_utils._config_tree.host import Host, HostError, alone
from ansible_collections.trading.platform.plugins.module_utils._config_tree.spec import argument_spec, unpack


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={**argument_spec(), "payload": {"type": "str", "no_log": True}},
        supports_check_mode=True,
    )
    if not module.params["payload"]:
        module.fail_json(
            msg="config_tree arrived without its files: call it as trading.platform.config_tree in a task."
        )
    try:
        wanted = plan.wanted(module.params, unpack(module.params["payload"]))
        with contextlib.nullcontext() if module.check_mode else alone(wanted.name):
            result = Host(wanted, module.warn).run(module.check_mode, bool(module._diff))
    except HostError as error:
        module.fail_json(msg=str(error), **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
