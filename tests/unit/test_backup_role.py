# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles for backups derive: who runs the schedules, and which cluster this is."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

ROOT = Path(__file__).resolve().parents[2]
CONTROL = "pg_control version number:            1300\nDatabase system identifier:           77\n"


def said(template: str, **given: Any) -> Any:
    """As Ansible renders it, with what these templates need of Ansible's own."""
    jinja = NativeEnvironment()
    jinja.filters |= {
        "quote": shlex.quote,
        "split": str.split,
        "dict2items": lambda them: [{"key": key, "value": value} for key, value in them.items()],
        "community.general.dict_kv": lambda value, key: {key: value},
        "combine": lambda one, other: one | other,
        "regex_replace": lambda text, pattern, by: re.sub(pattern, by, text),
    }
    jinja.tests["match"] = lambda text, pattern: bool(re.match(pattern, text))
    return jinja.from_string(template).render(**given)


def variables(role: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / f"roles/{role}/vars/main.yml").read_text())
    return found


@pytest.mark.parametrize("role", ["backup", "restic"])
@pytest.mark.parametrize(
    ("scheduler", "packages", "running"), [("systemd", [], set()), ("cron", ["cron"], {"cron.service"})]
)
def test_cron_is_there_where_it_is_chosen(role: str, scheduler: str, packages: list[str], running: set[str]) -> None:
    theirs = variables(role)
    given = {f"{role}_scheduler": scheduler, "__backup_timers": [], "__restic_timers": []}
    assert said(theirs[f"__{role}_scheduler_packages"], **given) == packages
    units = said(theirs[f"__{role}_units"], **given)
    assert {one["name"] for one in units} - {"pgbackrest-server.service"} == running
    assert all((one["state"], one["enabled"]) == ("started", True) for one in units)
    tasks = "".join(path.read_text() for path in (ROOT / f"roles/{role}/tasks").glob("*.yml"))
    assert f"__{role}_packages + __{role}_scheduler_packages" in tasks


@pytest.mark.parametrize(
    ("answers", "restorer", "system_id"),
    [
        ({"db1": "f|77", "db2": "t|77"}, "db2", "77"),
        ({"db1": "t|77", "db2": ""}, "db1", "77"),
        # It runs nowhere: the files say which cluster it was.
        ({"db1": "|77", "db2": "|77"}, "db1", "77"),
        ({"db1": "", "db2": "|77"}, "db1", "77"),
        ({"db1": "", "db2": ""}, "db1", ""),
    ],
)
def test_which_cluster_it_is(answers: dict[str, str], restorer: str, system_id: str) -> None:
    theirs = variables("backup")
    given = {"__backup_answers": answers, "backup_members": ["db1", "db2"]}
    assert said(theirs["__backup_restorer"], **given) == restorer
    assert str(said(theirs["__backup_system_id"], **given)) == system_id


@pytest.mark.parametrize(
    ("psql", "control", "answer"),
    [
        ("echo 't|77'", "exit 1", "t|77\n"),
        ("exit 2", f"printf '{CONTROL}'", "|77\n"),
        ("exit 2", "echo 'could not open file' >&2; exit 1", ""),
    ],
)
def test_a_member_is_asked_and_then_its_files(psql: str, control: str, answer: str, tmp_path: Path) -> None:
    for name, does in (("psql", psql), ("pg_controldata", control)):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    (task,) = yaml.safe_load((ROOT / "roles/backup/tasks/primary.yml").read_text())
    given = {"backup_postgres_port": 5432, "backup_data_directory": "/data", "__backup_binaries": str(tmp_path)}
    command = said(task["ansible.builtin.shell"], **given)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ran = subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, check=False)
    assert ran.stdout == answer
