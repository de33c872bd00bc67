#!/usr/bin/python
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module postgres_objects."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_objects
short_description: Bring roles, databases, schemas, extensions and grants of a PostgreSQL server into their state
version_added: 0.2.0
author: trading.platform contributors (@trading)
description:
  - Reads the catalog, works out what differs, and applies that over one connection for each database, each in one
    transaction. What is as it should be costs nothing more.
  - Connects to the local socket as the server's superuser. It runs as root and takes that OS user's identity for the
    moment of connecting; so it needs neither a password nor C(become_user).
  - Does its work on the primary only. On a replica it changes nothing and returns RV(primary=false), so that a play
    runs it on all members. That one of them was the primary is for the play to check.
  - Objects that are not listed are left alone; nothing is ever dropped.
  - A role that is listed loses what it was not given here, which is attributes (superuser, createrole and createdb
    can not be asked for at all), memberships and settings. Grants are only added, because migrations make theirs, too.
  - C(PUBLIC) loses the right to connect to listed databases and to create temporary tables and objects in schema
    C(public) there. Functions that an owner of a listed schema makes from then on are not executable by C(PUBLIC).
  - A password is compared with the stored SCRAM-SHA-256 verifier and sent as a new verifier only if it does not match.
    The password itself never travels.
notes:
  - Encoding and locale of a database that exists are never changed; a difference is a warning.
  - Runs that meet wait for each other by an advisory lock.
  - Needs C(python3-psycopg2) on the host.
options:
  roles:
    description: The roles.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The role's name.
        type: str
        required: true
      password:
        description: The password. Left out, that of an existing role stays, and a new one has none.
        type: str
      login:
        description: Whether the role may connect.
        type: bool
        default: true
      replication:
        description: Whether the role may stream the write-ahead log.
        type: bool
        default: false
      bypassrls:
        description: Whether row security does not count for the role.
        type: bool
        default: false
      inherit:
        description: Whether the role has the rights of the roles it is a member of without C(SET ROLE).
        type: bool
        default: true
      connection_limit:
        description: How many connections the role may have at a time. V(-1) is no limit.
        type: int
        default: -1
      member_of:
        description: The roles it is a member of. Other memberships are revoked.
        type: list
        elements: str
        default: []
      settings:
        description: Settings that its sessions start with, in all databases. Others are reset.
        type: dict
        default: {}
  databases:
    description: The databases.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The database's name.
        type: str
        required: true
      owner:
        description: The role that owns it.
        type: str
        required: true
      encoding:
        description: Encoding of a database that is created.
        type: str
        default: UTF8
      locale:
        description: Locale of a database that is created. Left out, it is that of the cluster.
        type: str
      public_connect:
        description: Whether every role may connect and create temporary tables.
        type: bool
        default: false
      extensions:
        description: The extensions. They are created, not updated.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: The extension's name.
            type: str
            required: true
          schema:
            description: Where its objects go.
            type: str
            default: public
      schemas:
        description: The schemas.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: The schema's name.
            type: str
            required: true
          owner:
            description: The role that owns it. Left out, it is the owner of the database.
            type: str
      grants:
        description: Who may do what.
        type: list
        elements: dict
        default: []
        suboptions:
          role:
            description: The role that gets the privileges.
            type: str
            required: true
          database:
            description: Privileges on the database. With O(databases[].grants[].schema), V(connect) comes by itself.
            type: list
            elements: str
            choices: [connect, create, temporary]
            default: []
          schema:
            description: One of O(databases[].schemas). The role may use it.
            type: str
          create:
            description: Whether the role may make objects in the schema.
            type: bool
            default: false
          tables:
            description: Privileges on all tables and views of the schema.
            type: list
            elements: str
            choices: [select, insert, update, delete, truncate, references, trigger]
            default: []
          sequences:
            description: Privileges on all sequences of the schema.
            type: list
            elements: str
            choices: [usage, select, update]
            default: []
          functions:
            description: Whether the role may call all functions of the schema.
            type: bool
            default: false
          default_for_owner:
            description: Whether the same holds for objects that the schema's owner makes later.
            type: bool
            default: true
      auth_lookup:
        description:
          - Has a function C(SCHEMA.user_lookup(text)) by which pgbouncer reads the verifier of a role that may log in.
          - It belongs to the superuser, and only the one role may call it. It knows no superusers, no replication roles
            and no expired passwords.
        type: dict
        suboptions:
          schema:
            description: The schema of the function. It belongs to the superuser, and is not among the schemas.
            type: str
            default: pgbouncer
          role:
            description: The role that may call it.
            type: str
            required: true
  login_user:
    description: The superuser, as OS user and as role.
    type: str
    default: postgres
  socket_directory:
    description: Where the server's socket is.
    type: str
    default: /var/run/postgresql
  port:
    description: The server's port.
    type: int
    default: 5432
  wait:
    description: How many seconds to wait for a server that is starting, and for another run of this module.
    type: int
    default: 60
  commit_wait:
    description: How many seconds a commit waits for the synchronous replica before it goes on with a warning.
    type: int
    default: 30
attributes:
  check_mode:
    support: full
    description: A host without a server, or without psycopg2, is a predicted change with a warning.
  diff_mode:
    support: full
    description: Lists the statements, passwords masked.
"""

EXAMPLES = r"""
- name: Configure | Roles, databases and grants
  trading.platform.postgres_objects:
    roles:
      - {name: shop_owner, password: "{{ shop_owner_password }}", connection_limit: 5}
      - name: shop_app
        password: "{{ shop_app_password }}"
        settings: {statement_timeout: 10s, search_path: [shop]}
      - {name: monitoring, password: "{{ monitoring_password }}", member_of: [pg_monitor]}
      - {name: pgbouncer_auth, password: "{{ dbproxy_auth_password }}"}
    databases:
      - name: shop
        owner: shop_owner
        extensions: [{name: pg_stat_statements}]
        schemas: [{name: shop}]
        grants:
          - {role: shop_app, schema: shop, tables: [select, insert, update, delete], sequences: [usage]}
          - {role: monitoring, database: [connect]}
        auth_lookup: {role: pgbouncer_auth}
"""

RETURN = r"""
primary:
  description: Whether this host is the primary. If not, nothing was looked at.
  returned: when a server answered
  type: bool
statements:
  description: What was done, or would be done, passwords masked.
  returned: success
  type: list
  elements: str
  sample: ['GRANT USAGE ON SCHEMA "shop" TO "shop_app"']
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._postgres.objects_client import (
    AbsentError,
    ObjectsError,
    Server,
)
from ansible_collections.trading.platform.plugins.module_utils._postgres.wanted import (
    DATABASE_PRIVILEGES,
    SEQUENCE_PRIVILEGES,
    TABLE_PRIVILEGES,
    problems,
    wanted,
)

NAME: dict[str, Any] = {"type": "str", "required": True}


def _list(**options: Any) -> dict[str, Any]:
    """A list of entries with these keys."""
    return {"type": "list", "elements": "dict", "default": [], "options": options}


def _words(*choices: str) -> dict[str, Any]:
    """A list of words out of a few."""
    return {"type": "list", "elements": "str", "default": [], **({"choices": list(choices)} if choices else {})}


ROLES = _list(
    name=NAME,
    password={"type": "str", "no_log": True},
    login={"type": "bool", "default": True},
    replication={"type": "bool", "default": False},
    bypassrls={"type": "bool", "default": False},
    inherit={"type": "bool", "default": True},
    connection_limit={"type": "int", "default": -1},
    member_of=_words(),
    settings={"type": "dict", "default": {}},
)
GRANTS = _list(
    role=NAME,
    database=_words(*DATABASE_PRIVILEGES),
    schema={"type": "str"},
    create={"type": "bool", "default": False},
    tables=_words(*TABLE_PRIVILEGES),
    sequences=_words(*SEQUENCE_PRIVILEGES),
    functions={"type": "bool", "default": False},
    default_for_owner={"type": "bool", "default": True},
)
DATABASES = _list(
    name=NAME,
    owner=NAME,
    encoding={"type": "str", "default": "UTF8"},
    locale={"type": "str"},
    public_connect={"type": "bool", "default": False},
    extensions=_list(name=NAME, schema={"type": "str", "default": "public"}),
    schemas=_list(name=NAME, owner={"type": "str"}),
    grants=GRANTS,
    auth_lookup={"type": "dict", "options": {"schema": {"type": "str", "default": "pgbouncer"}, "role": NAME}},
)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "roles": ROLES,
            "databases": DATABASES,
            "login_user": {"type": "str", "default": "postgres"},
            "socket_directory": {"type": "str", "default": "/var/run/postgresql"},
            "port": {"type": "int", "default": 5432},
            "wait": {"type": "int", "default": 60},
            "commit_wait": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    params = module.params
    want = wanted(params["roles"], params["databases"])
    wrong = problems(want, params["login_user"])
    if wrong:
        module.fail_json(msg=f"{'; '.join(wrong)}. Nothing was changed.", problems=wrong)
    server = Server(params["login_user"], params["socket_directory"], params["port"], module.warn)
    # On an empty host a check run has nothing to wait for.
    wait = 0 if module.check_mode else params["wait"]
    try:
        outcome = server.ensure(want, check_mode=module.check_mode, wait=wait, commit_wait=params["commit_wait"])
    except AbsentError as error:
        if not module.check_mode:
            module.fail_json(msg=str(error))
        module.warn(f"{error} A real run would install and start it first; all objects would be made.")
        module.exit_json(changed=True, statements=[])
    except ObjectsError as error:
        module.fail_json(msg=str(error))
    if not outcome.primary:
        module.exit_json(changed=False, primary=False, statements=[], msg="This host is a replica; nothing to do here.")
    after = "".join(f"{line}\n" for line in outcome.statements)
    module.exit_json(
        changed=bool(outcome.statements),
        primary=True,
        statements=outcome.statements,
        diff={"before": "", "after": after, "before_header": "server", "after_header": "statements"},
    )


if __name__ == "__main__":
    main()
