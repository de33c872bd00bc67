#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pgbackrest
short_description: Back up, plan, restore and verify a PostgreSQL cluster with pgBackRest
version_added: 0.4.0
author: trading.platform contributors (@trading)
description:
  - Runs on a database host as postgres, with C(/etc/pgbackrest) in place. No secret stands on a command line.
  - Of several repositories each has a state, sets and logs of its own. One that cannot be reached does not stand in
    the way of the others.
  - A restore needs a plan. The plan chooses the set and the timeline so that the target lies on them, and refuses a
    target that the archived WAL does not hold. pgBackRest itself takes the latest set for a time that no set reaches.
options:
  action:
    description:
      - V(info) returns the stanza's state in each repository.
      - V(backup) takes a backup into the first repository and returns the new set.
      - V(plan) works out how O(target) can be restored, or says why not. It takes the first repository that leads
        there; for the latest state the one whose logs go farthest.
      - V(restore) restores as O(plan) says, into a directory on which no PostgreSQL runs.
      - V(verify) names what is damaged or missing in each repository, and fails if anything is.
      - V(expire) removes what the configured retention does not keep.
    type: str
    choices: [info, backup, plan, restore, verify, expire]
    default: info
  stanza:
    description: Name of the stanza.
    type: str
    required: true
  type:
    description: Kind of the backup. The first one becomes a full one whatever was asked for.
    type: str
    choices: [full, diff, incr]
    default: incr
  target:
    description: Where V(plan) shall end.
    type: dict
    suboptions:
      type:
        description: V(name) is a restore point. V(latest) is the end of the archived WAL, and takes no value.
        type: str
        choices: [time, name, xid, lsn, latest]
        required: true
      value:
        description: A time with seconds and a zone, as in C(2026-11-21 12:00:00+00:00), or what the type says.
        type: str
  timeline:
    description:
      - Timeline to restore on. Without it the present one and those that it comes from count. A timeline that a restore
        has left has to be said.
    type: int
  system_id:
    description: System identifier that the cluster must have. Backups of another one are refused.
    type: str
  data_directory:
    description: The cluster's data directory. The configured one, C(pg1-path).
    type: path
  bin_directory:
    description: Directory of C(pg_waldump), of the cluster's major version. V(info) without it knows no latest time.
    type: path
  max_segments:
    description: How many WAL segments may be read in search of a commit or a restore point.
    type: int
    default: 64
  prove:
    description: V(plan) reads the set and every WAL segment up to the target, and refuses if one is damaged.
    type: bool
    default: false
  journal:
    description: File that keeps how long restores took, for the estimate of the next.
    type: path
  plan:
    description: The V(plan) that an earlier task returned.
    type: dict
  aside:
    description: Where V(restore) moves a data directory that is not empty, on the same file system.
    type: path
  delta:
    description: Restore over what is there, by checksums. What was there is lost. Say it to V(plan) too.
    type: bool
    default: false
  target_action:
    description: What PostgreSQL does at the target.
    type: str
    choices: [promote, pause, shutdown]
    default: promote
  set:
    description: The set that V(verify) looks at, with its WAL, instead of everything.
    type: str
attributes:
  check_mode:
    support: full
    description: Refuses what would be refused. V(info), V(plan) and V(verify) never change anything.
  diff_mode:
    support: none
    description: There is nothing to compare.
notes:
  - pgBackRest's lock holds on one host. That two hosts do not back up one stanza at once is the caller's to see to.
  - WAL compressed by zst or lz4 needs the program of that name on the host.
  - WAL segments have 16 MB. Tablespaces outside of the data directory stay where they are.
"""

EXAMPLES = r"""
- name: Plan | Five minutes before the accident
  trading.platform.pgbackrest:
    action: plan
    stanza: main
    target: {type: time, value: "2026-11-21 11:55:00+00:00"}
    system_id: "7710701623997829355"
    data_directory: /var/lib/postgresql/15/main
    bin_directory: /usr/lib/postgresql/15/bin
    journal: /var/lib/postgresql/restores.json
    prove: true
  become: true
  become_user: postgres
  register: planned

- name: Restore | The old data stays beside it
  trading.platform.pgbackrest:
    action: restore
    stanza: main
    plan: "{{ planned.plan }}"
    data_directory: /var/lib/postgresql/15/main
    aside: /var/lib/postgresql/15/main.before-restore
    journal: /var/lib/postgresql/restores.json
  become: true
  become_user: postgres
"""

RETURN = r"""
repositories:
  description: What each one has of the stanza.
  type: list
  elements: dict
  returned: action=info
  contains:
    repo:
      description: Its number in pgBackRest's configuration.
      type: int
    status:
      description:
        - C(code) of pgBackRest (0 is well, 1 no stanza, 2 no set, 99 unreadable), C(message), and whether a backup is
          C(running).
      type: dict
    database:
      description: C(system_id), C(version) and C(id) of the present cluster.
      type: dict
    sets:
      description:
        - The backups, the oldest first, with label, type, prior, start, stop, start_lsn, stop_lsn, wal_start,
          wal_stop, size, repo_size (null where pgBackRest does not say), error, timeline and database. C(error) means
          damaged pages.
      type: list
      elements: dict
    archive:
      description: For each database C(id), C(min) and C(max) of the archived WAL.
      type: list
      elements: dict
    recoverable:
      description: C(earliest) and C(latest) time; the latest is the last commit in the archive.
      type: dict
archive:
  description: What is left of the archived WAL, of all repositories.
  type: list
  elements: dict
  returned: action=expire
set:
  description: The new set as in RV(repositories[].sets), or the label of the one restored.
  type: raw
  returned: action=backup and action=restore
seconds:
  description: How long it took.
  type: float
  returned: action=backup and action=restore
plan:
  description:
    - stanza, repo, system_id, target as asked for, restore (type and target as pgBackRest gets them), set, set_stop,
      timeline, wal_from, wal_to, wal_segments, bytes, repo_bytes, seconds (an estimate or null), disk (path, needed,
      free), data_directory, delta, proved and lines.
  type: dict
  returned: action=plan
bytes:
  description: Size of the restored directory.
  type: int
  returned: action=restore
timeline:
  description: The timeline that recovery follows. PostgreSQL begins a new one at the target.
  type: int
  returned: action=restore
aside:
  description: Where the old directory is, or null.
  type: str
  returned: action=restore
damaged:
  description: C(name) and C(problem) of what is damaged or missing, and of V(verify) the C(repo).
  type: list
  elements: dict
  returned: action=verify, and with a refused proof
missing:
  description: WAL segments that a plan lacks.
  type: list
  elements: str
  returned: when action=plan finds a gap
expired:
  description: Labels of the sets that were removed.
  type: list
  elements: str
  returned: action=expire
lines:
  description: What was found or done, for a person.
  type: list
  elements: str
  returned: success
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._pgbackrest.wal import BackupError
from ..module_utils._pgbackrest.work import ACTIONS, perform

TARGET: dict[str, Any] = {
    "type": {"type": "str", "choices": ["time", "name", "xid", "lsn", "latest"], "required": True},
    "value": {"type": "str"},
}
SPEC: dict[str, Any] = {
    "action": {"type": "str", "choices": list(ACTIONS), "default": "info"},
    "stanza": {"type": "str", "required": True},
    "type": {"type": "str", "choices": ["full", "diff", "incr"], "default": "incr"},
    "target": {"type": "dict", "options": TARGET},
    "timeline": {"type": "int"},
    "system_id": {"type": "str"},
    "data_directory": {"type": "path"},
    "bin_directory": {"type": "path"},
    "max_segments": {"type": "int", "default": 64},
    "prove": {"type": "bool", "default": False},
    "journal": {"type": "path"},
    "plan": {"type": "dict"},
    "aside": {"type": "path"},
    "delta": {"type": "bool", "default": False},
    "target_action": {"type": "str", "choices": ["promote", "pause", "shutdown"], "default": "promote"},
    "set": {"type": "str"},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec=SPEC,
        required_if=[
            ("action", "plan", ["target", "data_directory", "bin_directory"]),
            ("action", "restore", ["plan", "data_directory"]),
        ],
        mutually_exclusive=[("aside", "delta")],
        supports_check_mode=True,
    )
    try:
        result = perform(module.params, module.check_mode)
    except (BackupError, OSError) as error:
        details = error.details if isinstance(error, BackupError) else {}
        module.fail_json(msg=str(error), **{"changed": False, **details})
    module.exit_json(**result)


if __name__ == "__main__":
    main()
