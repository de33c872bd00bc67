# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the real playbook on broken copies of a small inventory: it must stop before any host task and say what to do.

Two fixture roles stand for the platform's: `ledger` has secrets, a port and a fact, `gateway` takes what others
publish. A host task leaves a file behind, so that "nothing was changed" is observed and not read from the output.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = Path(__file__).parent / "fixture"
PASSWORD = "the right vault password"
CANARY = "c4n4ry-s3cr3t-value"
READER = "an0ther-s3cr3t-value"
BIN = ROOT / ".venv" / "bin"


@dataclass
class Run:
    code: int
    output: str
    inventory: Path

    @property
    def flat(self) -> str:
        """The output with line breaks and indents folded, so that a wrapped sentence can be searched for."""
        return re.sub(r"\s+", " ", self.output)

    @property
    def host_tasks(self) -> list[str]:
        return sorted(path.name for path in self.inventory.glob("*-ran")) + sorted(
            path.name for path in self.inventory.glob("openings-*")
        )


@dataclass
class Site:
    """A copy of the fixture that a test breaks."""

    path: Path
    secrets: Path = field(init=False)
    inventory: Path = field(init=False)

    def __post_init__(self) -> None:
        self.inventory = self.path / "inventories" / "test"
        self.secrets = self.path / "secrets"
        shutil.copytree(FIXTURE / "inventory", self.inventory)
        root = "{{ lookup('ansible.builtin.env', 'PROJECT_ROOT') }}"
        site = (FIXTURE / "site.yml").read_text().replace(root, str(ROOT))
        (self.path / "site.yml").write_text(site)
        (self.path / "roles").symlink_to(FIXTURE / "roles")
        self.secrets.mkdir()
        self.password(PASSWORD)
        self.vault({"vault_ledger_password": CANARY, "vault_ledger_reader_password": READER})

    def password(self, text: str) -> None:
        (self.secrets / "test.vault-password").write_text(text + "\n")

    def vault(self, values: dict[str, str]) -> None:
        vault = VaultLib()
        lines = ["---"]
        for name, value in values.items():
            text = vault.encrypt(value, secret=VaultSecret(PASSWORD.encode()), vault_id="test").decode()
            lines += [f"{name}: !vault |", *(f"  {line}" for line in text.splitlines())]
        self.write("group_vars/all/vault.yml", "\n".join(lines))

    def write(self, path: str, text: str) -> None:
        (self.inventory / path).parent.mkdir(parents=True, exist_ok=True)
        (self.inventory / path).write_text(text)

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.inventory / path).read_text()
        assert old in text, f"{path} has no {old!r} to replace"
        self.write(path, text.replace(old, new))

    def env(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "ANSIBLE_VAULT_IDENTITY_LIST": f"test@{self.secrets / 'test.vault-password'}",
            "ANSIBLE_NOCOLOR": "1",
            "TRADING_SECRETS_DIR": str(self.secrets),
            "COLUMNS": "200",
        }

    def run(self, *arguments: str, tags: str = "preflight", playbook: str = "site.yml") -> Run:
        command = [str(BIN / "ansible-playbook"), playbook, "-i", "inventories/test", *arguments]
        command += ["--tags", tags] if tags else []
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=self.path, env=self.env(), timeout=60
        )
        return Run(done.returncode, done.stdout + done.stderr, self.inventory)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def stopped(run: Run, *sentences: str) -> None:
    """The bar of every bad input: an exit code, the sentences, no host task, no secret."""
    assert run.code != 0, run.output
    for sentence in sentences:
        assert sentence in run.flat, run.output
    assert "nothing was changed" in run.flat, run.output
    assert "Look at the host" not in run.output, "the host stage started"
    assert run.host_tasks == []
    assert CANARY not in run.output
    assert READER not in run.output


def test_a_good_inventory_passes_and_roles_get_what_is_published(site: Site) -> None:
    run = site.run(tags="")
    assert run.code == 0, run.output
    openings = (site.inventory / "openings-app1").read_text()
    assert '"role": "gateway"' in openings
    assert "7001" in openings
    assert "ledger" not in openings, "app1 has no ledger: its openings are another host's"


@pytest.mark.parametrize("arguments", [[], ["--check"], ["--limit", "db1"], ["--limit", "lb1"]])
def test_all_problems_of_the_whole_inventory_at_once(site: Site, arguments: list[str]) -> None:
    site.write("host_vars/app1.yml", "---\ngateway_prot: 7001\n")
    site.write("group_vars/db/more.yml", "---\nledger_durability: remtoe\nledger_port: many\n")
    stopped(
        site.run(*arguments),
        "preflight found 3 problems in inventories/test",
        "gateway_prot is not a variable of the role gateway. (app1) where: inventories/test/host_vars/app1.yml:2",
        "Did you mean gateway_port? Rename it, or delete the line.",
        "ledger_durability must be one of: local, remote, got: remtoe",
        "where: inventories/test/group_vars/db/more.yml:2",
        "inventories/test/group_vars/db/more.yml:3",
    )


def test_missing_vault(site: Site) -> None:
    (site.inventory / "group_vars/all/vault.yml").unlink()
    stopped(
        site.run(),
        "2 secrets are not defined:",
        "vault_ledger_password (read by ledger_password), for db1, db2 [inventories/test/group_vars/db/ledger.yml:2]",
        "vault_ledger_reader_password (read by ledger_users), for db1, db2",
        "Run `bin/secrets init test`",
    )


def test_missing_plain_variable_of_a_secret(site: Site) -> None:
    (site.inventory / "group_vars/db/ledger.yml").unlink()
    stopped(
        site.run(),
        'write the line `ledger_password: "{{ vault_ledger_password }}"` to inventories/test/group_vars/db/ledger.yml',
    )


def test_wrong_vault_password(site: Site) -> None:
    site.password("not the password")
    stopped(
        site.run(),
        "2 secrets are encrypted, and the vault password of test does not open them:",
        "vault_ledger_password (read by ledger_password)",
        f"Put the password into {site.secrets}/test.vault-password",
    )


@pytest.mark.parametrize("value", ["CHANGEME", "<your password>", "short", "ledger_password", "xxxxxxxxxx"])
def test_placeholder_secret(site: Site, value: str) -> None:
    lines = ["---", f"vault_ledger_password: '{value}'", f"vault_ledger_reader_password: {READER}", ""]
    site.write("group_vars/all/vault.yml", "\n".join(lines))
    reason = "vault_ledger_password (read by ledger_password): it is"
    stopped(site.run(), "1 secret is not real:", reason, "bin/secrets init test")


def test_a_secret_from_a_lookup_that_fails(site: Site) -> None:
    line = "ledger_password: \"{{ lookup('ansible.builtin.file', '/nowhere/ledger') }}\""
    site.replace("group_vars/db/ledger.yml", 'ledger_password: "{{ vault_ledger_password }}"', line)
    stopped(site.run(), "1 secret is read from elsewhere, and that failed:", "ledger_password: ", "secret store")


def test_a_secret_from_a_lookup_that_works(site: Site) -> None:
    line = "ledger_password: \"{{ lookup('ansible.builtin.env', 'HOME') }}-long-enough\""
    site.replace("group_vars/db/ledger.yml", 'ledger_password: "{{ vault_ledger_password }}"', line)
    run = site.run()
    assert run.code == 0, run.output


@pytest.mark.parametrize(("limit", "near"), [("db1,ap1", "app1"), ("db1,!ops2", "ops1"), ("all:!ectd", "etcd")])
def test_unknown_limit(site: Site, limit: str, near: str) -> None:
    stopped(site.run("--limit", limit), "which is no host and no group of this inventory", near)


def test_a_limit_that_leaves_no_host(site: Site) -> None:
    """Ansible refuses this one before any play, in its own words."""
    run = site.run("--limit", "etcd:&ectd")
    assert run.code != 0
    assert "no hosts" in run.flat or "does not match any hosts" in run.flat, run.output
    assert run.host_tasks == []


def test_duplicate_address(site: Site) -> None:
    site.replace("hosts.yml", "10.9.0.32", "10.9.0.31")
    stopped(site.run(), "ansible_host 10.9.0.31 is given to db1 and db2.", "Give each host its own address")


def test_overlapping_networks(site: Site) -> None:
    site.replace("group_vars/all/site.yml", "172.20.0.0/16", "10.9.0.0/16")
    stopped(
        site.run(),
        "The networks private_network 10.9.0.0/24 and pool_networks 10.9.0.0/16 overlap.",
        "Give one of them another range",
    )


def test_even_etcd(site: Site) -> None:
    site.replace("hosts.yml", "children: {db: {}, ops: {}}", "children: {db: {}}")
    stopped(site.run(), "The group etcd has 2 members, an even number")
    stopped(site.run("--limit", "lb1"), "Add one host to the group etcd, or remove one.")


def test_colliding_ports(site: Site) -> None:
    site.replace("hosts.yml", "app1: {ansible_host: 10.9.0.21}", "app1: {ansible_host: 10.9.0.21}\n        db1: {}")
    site.write("host_vars/db1.yml", "---\ngateway_port: 7000\n")
    what = "The roles ledger and gateway both listen on 7000/tcp. (db1)"
    stopped(site.run(), what, "Move one of them to another port")


def test_missing_group(site: Site) -> None:
    site.replace("hosts.yml", "    ops:\n", "    opps:\n")
    site.replace("hosts.yml", ", ops: {}}", ", opps: {}}")
    stopped(site.run(), "The group ops is missing.", "Did you mean the group opps to be it?")


def test_an_undefined_value_that_is_no_fact(site: Site) -> None:
    site.write("group_vars/db/more.yml", '---\nledger_port: "{{ ledgre_port_base + 1 }}"\n')
    stopped(site.run(), "ledger_port cannot be evaluated: 'ledgre_port_base' is undefined.", "group_vars/db/more.yml:2")


OPERATION = """---
- hosts: all
  gather_facts: false
  tasks:
    - name: Check the inventory
      ansible.builtin.import_role: {name: common, tasks_from: preflight, rolespec_validate: false}
      vars: {common_preflight_remembered: "{{ playbook_dir }}/passed"}
"""


def test_an_operation_does_not_check_again_what_has_passed(site: Site) -> None:
    """Until a file changes, or -e sets something that the inventory or a role knows."""
    (site.path / "operation.yml").write_text(OPERATION)

    def checked(*arguments: str) -> bool:
        """A check that passes writes its memory anew."""
        memory = site.path / "passed" / "test"
        before = memory.stat().st_mtime_ns if memory.exists() else 0
        run = site.run(*arguments, playbook="operation.yml", tags="")
        assert run.code == 0, run.output
        return memory.stat().st_mtime_ns != before

    assert checked()
    assert not checked("-e", "release=v2")
    assert checked("-e", "ledger_port=7001")
    assert checked()
    site.write("group_vars/all/more.yml", "---\n{}\n")
    assert checked()
    assert not checked()
    site.password("another one")
    run = site.run(playbook="operation.yml", tags="")
    assert run.code != 0, run.output
    assert "nothing was changed" in run.flat


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("common_os: [Plan 9]", "supported are Plan 9: reinstall it, or add it to common_os"),
        ("common_memory_mb_min: 99999999", "99999999 MiB are needed: give it more, or lower common_memory_mb_min"),
        ("common_disks: [{path: /, free_mb_min: 99999999}]", "MiB free, 99999999 MiB are needed: free space there"),
        ("common_names: [no-such-name.invalid]", "no-such-name.invalid"),
        ("common_clock_offset_max_s: -1", "its clock is"),
    ],
)
def test_an_unfit_host_stops_the_run(site: Site, setting: str, sentence: str) -> None:
    """The host stage, end to end: every host of the fixture is this machine."""
    name = setting.partition(":")[0]
    kept = [line for line in (site.inventory / "group_vars/all/site.yml").read_text().splitlines() if name not in line]
    site.write("group_vars/all/site.yml", "\n".join([*kept, setting, ""]))
    run = site.run(tags="")
    assert run.code != 0, run.output
    assert sentence in run.flat, run.output
    assert "nothing was changed" in run.flat
    assert run.host_tasks == []


def test_a_port_that_a_stranger_holds_stops_the_run(site: Site) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        site.write("group_vars/db/port.yml", f"---\nledger_port: {port}\n")
        run = site.run("--limit", "db1", tags="")
    assert run.code != 0, run.output
    assert str(port) in run.flat, run.output
    assert run.host_tasks == []


def processor_seconds(*command: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Of a run against prod's example. Beside other tests the clock says nothing."""
    before = os.times()
    run = subprocess.run(
        [BIN / "ansible-playbook", "site.yml", "-i", "prod", *command],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"},
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system, run


def test_the_example_of_prod_says_truthfully_what_is_missing_within_seconds() -> None:
    """The bar is 5 s on a machine of its own; half of that is Ansible, reading site.yml with all its roles."""
    reading, read = processor_seconds("--syntax-check")
    assert read.returncode == 0, read.stderr
    took, run = processor_seconds("--tags", "preflight")
    output = run.stdout + run.stderr
    assert run.returncode != 0
    assert "vault_pki_ca_private_key" in output
    assert "bin/secrets init prod" in output
    assert "nothing was changed" in output
    assert took < 3 * reading, f"{took:.1f} s of a processor, {reading:.1f} s of them to read site.yml"
