"""bin/secrets and bin/vault-client as an operator meets them: exit codes, what is printed, what is left alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENV = "staging"
SPEC = """---
argument_specs:
  main:
    options:
      ledger_password: {type: str, required: true, no_log: true}
      ledger_bucket_key: {type: str, required: true, no_log: true}
      pki_ca_private_key: {type: str, required: true, no_log: true}
"""
PLAIN = """---
ledger_password: "{{ vault_ledger_password }}"
ledger_bucket_key: "{{ vault_ledger_bucket_key }}"
pki_ca_private_key: "{{ vault_pki_ca_private_key }}"
secrets_issued_elsewhere: [vault_ledger_bucket_key]
"""
PASSWORD = "hunter2-but-longer"


@dataclass
class Ran:
    code: int
    output: str


@dataclass
class Tree:
    """A small checkout with one environment, and a directory for its passwords."""

    path: Path

    @property
    def vault(self) -> Path:
        return self.path / f"inventories/{ENV}/group_vars/all/vault.yml"

    @property
    def password(self) -> Path:
        return self.path / f"passwords/{ENV}.vault-password"

    def run(self, *command: str) -> Ran:
        environment = {**os.environ, "TRADING_SECRETS_DIR": str(self.path / "passwords"), "HOME": str(self.path)}
        done = subprocess.run(
            [str(self.path / command[0]), *command[1:]],
            cwd=self.path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Ran(done.returncode, done.stdout)

    def init(self) -> Ran:
        return self.run("bin/secrets", "init", ENV)

    def check(self) -> Ran:
        return self.run("bin/secrets", "check", ENV)

    def contents(self) -> dict[str, bytes]:
        places = [self.path / "inventories", self.path / "passwords"]
        return {str(path): path.read_bytes() for place in places for path in place.rglob("*") if path.is_file()}

    def opened(self) -> str:
        """Every value of the vault, as Ansible reads it."""
        shown = self.run(".venv/bin/python", "-c", OPEN, str(self.path), ENV)
        assert shown.code == 0
        return shown.output


OPEN = """
import sys; from pathlib import Path
sys.path.insert(0, sys.argv[1] + "/collections")
from ansible_collections.trading.platform.plugins.plugin_utils._secret_files import Environment
env = Environment(Path(sys.argv[1]), sys.argv[2])
print(*(env.opened(name) for name in sorted(env.values)), sep="\\n")
"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    collection = "collections/ansible_collections/trading/platform"
    for part in ("module_utils", "plugin_utils"):
        shutil.copytree(
            ROOT / collection / "plugins" / part,
            tmp_path / collection / "plugins" / part,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    (tmp_path / "bin").mkdir()
    for name in ("secrets", "vault-client"):
        shutil.copy(ROOT / "bin" / name, tmp_path / "bin" / name)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    made = Tree(tmp_path)
    made.vault.parent.mkdir(parents=True)
    made.vault.with_name("plain.yml").write_text(PLAIN)
    spec = tmp_path / "roles/ledger/meta/argument_specs.yml"
    spec.parent.mkdir(parents=True)
    spec.write_text(SPEC)
    return made


def filled_in(tree: Tree) -> None:
    """What somebody else issues, as an operator adds it."""
    with tree.vault.open("a") as file:
        file.write(f"vault_ledger_bucket_key: {PASSWORD}\n")
    assert tree.init().code == 0


def test_init_prints_names_and_no_secret(tree: Tree) -> None:
    ran = tree.init()
    assert ran.code == 0
    assert "made vault_ledger_password\n" in ran.output
    assert "you must fill in vault_ledger_bucket_key" in ran.output
    values = [line for line in tree.opened().splitlines() if line and "-----" not in line]
    assert len(values) > 2
    stored = tree.vault.read_text()
    for secret in [*values, tree.password.read_text().strip()]:
        assert (secret in ran.output, secret in stored) == (False, False)
    assert [path.stat().st_mode & 0o777 for path in (tree.vault, tree.password)] == [0o600, 0o600]


def test_what_was_filled_in_is_encrypted_and_never_printed(tree: Tree) -> None:
    tree.init()
    before = tree.opened()
    with tree.vault.open("a") as file:
        file.write(f"vault_ledger_bucket_key: {PASSWORD}\n")
    ran = tree.init()
    assert ran.code == 0
    assert PASSWORD not in ran.output + tree.vault.read_text()
    assert sorted(tree.opened().split("\n")) == sorted(f"{PASSWORD}\n{before}".split("\n"))
    assert tree.check().output == "staging: 3 secrets are in the vault, 0 come by lookup.\n"


def test_a_second_init_changes_no_byte(tree: Tree) -> None:
    tree.init()
    filled_in(tree)
    before = tree.contents()
    ran = tree.init()
    assert (ran.code, ran.output) == (0, "staging: all 3 secrets are there.\n")
    assert tree.contents() == before


def test_check_ends_with_1_and_names_what_is_wrong(tree: Tree) -> None:
    tree.init()
    ran = tree.check()
    assert ran.code == 1
    assert "staging: vault_ledger_bucket_key is missing, somebody else issues it: fill it in" in ran.output
    filled_in(tree)
    assert tree.check().code == 0


def test_a_placeholder_is_replaced(tree: Tree) -> None:
    value = "example-password"
    tree.vault.write_text(f"---\nvault_ledger_password: {value}\n")
    assert "vault_ledger_password is a placeholder" in tree.check().output
    assert "made vault_ledger_password\n" in tree.init().output
    assert value not in tree.opened()


def test_a_short_value_is_named_and_kept(tree: Tree) -> None:
    tree.vault.write_text("---\nvault_ledger_password: abc12\n")
    ran = tree.init()
    assert ran.code == 0
    assert "vault_ledger_password is shorter than 8 characters: delete it from inventories/staging/" in ran.output
    assert "abc12" in tree.opened()
    assert tree.check().code == 1


def test_the_wrong_password_overwrites_nothing(tree: Tree) -> None:
    tree.init()
    tree.password.write_text("not the password\n")
    before = tree.contents()
    ran = tree.init()
    assert ran.code == 1
    assert f"{tree.password} does not open vault_ledger_password, vault_pki_ca_private_key" in ran.output
    assert f"vault_ledger_password can't be decrypted with the password in {tree.password}" in tree.check().output
    assert tree.contents() == before


def test_a_missing_password_is_not_made_anew_for_a_vault_that_is_there(tree: Tree) -> None:
    tree.init()
    tree.password.unlink()
    before = tree.contents()
    ran = tree.init()
    assert ran.code == 1
    assert f"is encrypted and there is no {tree.password}: get that file from a colleague" in ran.output
    check = tree.check()
    assert check.code == 1
    assert f"there is no vault password in {tree.password}" in check.output
    assert tree.contents() == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("init",), 2, "usage: bin/secrets init ENV"),
        (("forget", ENV), 2, "usage: bin/secrets init ENV"),
        (("init", "elsewhere"), 1, f"there is no environment elsewhere; under inventories/ there are: {ENV}"),
        (("check", "../staging"), 1, "there is no environment ../staging"),
    ],
)
def test_bad_arguments(tree: Tree, arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = tree.run("bin/secrets", *arguments)
    assert ran.code == code
    assert said in ran.output
    assert "Traceback" not in ran.output
    assert not tree.password.exists()


def ask(tree: Tree, *arguments: str) -> Ran:
    return tree.run("bin/vault-client", *arguments)


def with_password(tree: Tree, mode: int) -> None:
    tree.password.parent.mkdir()
    tree.password.write_text(f"{PASSWORD}\n")
    tree.password.chmod(mode)


def test_vault_client_answers(tree: Tree) -> None:
    with_password(tree, 0o600)
    for arguments in (["--vault-id", ENV], [f"--vault-id={ENV}"]):
        assert ask(tree, *arguments) == Ran(0, f"{PASSWORD}\n")


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_password_file_that_others_can_read_is_refused(tree: Tree, mode: int) -> None:
    with_password(tree, mode)
    answers = [ask(tree, "--vault-id", ENV), tree.init(), tree.check()]
    for ran in answers:
        assert ran.code == 1
        assert f"{tree.password} can be read by others: chmod 600" in ran.output
        assert PASSWORD not in ran.output
    assert not tree.vault.exists()


def test_vault_client_does_not_disturb_runs_of_other_environments(tree: Tree) -> None:
    assert ask(tree, "--vault-id", ENV) == Ran(0, "no-vault-password-for-this-environment\n")


def test_nothing_is_encrypted_with_the_word_for_no_password(tree: Tree) -> None:
    ran = tree.run(
        ".venv/bin/ansible-vault",
        "encrypt_string",
        "--vault-id",
        f"{ENV}@bin/vault-client",
        PASSWORD,
        "--name",
        "vault_x",
    )
    assert ran.code != 0
    assert not re.search(r"\$ANSIBLE_VAULT", ran.output)
    assert "run bin/secrets init staging" in ran.output


@pytest.mark.parametrize("arguments", [(), ("--vault-id",), ("--vault-id", "../x"), ("--vault-id", ""), ("--what",)])
def test_vault_client_refuses_what_is_no_environment(tree: Tree, arguments: tuple[str, ...]) -> None:
    ran = ask(tree, *arguments)
    assert ran.code == 1
    assert "bin/vault-client: " in ran.output
