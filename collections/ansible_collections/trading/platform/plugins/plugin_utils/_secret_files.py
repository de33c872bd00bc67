# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one environment: its inventory, its vault and its vault password. Raises SecretsError."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.trading.platform.plugins.module_utils._preflight.secrets import password_file
from ansible_collections.trading.platform.plugins.module_utils._secrets import declared, findings, vaultfile
from ansible_collections.trading.platform.plugins.plugin_utils._secret_values import ca_problem

CA_KEY = "pki_ca_private_key"
CA_CERTIFICATE = "pki_ca_certificate"


class SecretsError(Exception):
    """Something that stops the work, told in words for the operator."""


class Encrypted:
    """A value that carries its own encryption."""

    def __init__(self, text: str) -> None:
        self.text = text


class Loader(yaml.SafeLoader):
    """Plain YAML, with Ansible's tags."""


Loader.add_constructor("!vault", lambda loader, node: Encrypted(str(node.value)))
Loader.add_constructor("!unsafe", lambda loader, node: str(node.value))


class Environment:
    """What is read once is kept, so one object serves one command."""

    def __init__(self, root: Path, name: str) -> None:
        known = sorted(path.name for path in (root / "inventories").iterdir() if path.is_dir())
        if name not in known:
            raise SecretsError(f"there is no environment {name}; under inventories/ there are: {', '.join(known)}")
        self.root = root
        self.name = name
        self.home = root / "inventories" / name
        self.vault_path = self.home / "group_vars" / "all" / "vault.yml"
        self.ca_path = self.vault_path.with_name("pki_ca.yml")
        self.password_path = Path(password_file(name, os.environ))

    @cached_property
    def secret(self) -> VaultSecret | None:
        """The vault password."""
        if not self.password_path.exists():
            return None
        password = self.password_path.read_bytes().strip(b"\r\n")
        if not password:
            raise SecretsError(f"{self.password_path} is empty: put the password of {self.name}'s vault in it")
        return VaultSecret(password)

    @property
    def exposed(self) -> str:
        """Empty unless others can read the vault password."""
        readable = self.password_path.stat().st_mode & 0o077
        return f"{self.password_path} can be read by others: chmod 600 it, and think who had access" if readable else ""

    def encrypt(self, text: str) -> str:
        return str(VaultLib().encrypt(text, secret=self.secret, vault_id=self.name).decode())

    def decrypt(self, text: str) -> str | None:
        """The plain text; None when this environment's password does not open it."""
        try:
            return str(VaultLib([(self.name, self.secret)] if self.secret else []).decrypt(text).decode())
        except (AnsibleError, UnicodeDecodeError):
            return None

    @cached_property
    def files(self) -> dict[Path, Any]:
        """All YAML files, parsed."""
        paths = sorted(path for path in self.home.rglob("*.y*ml") if not path.name.startswith("."))
        return {path: self._parse(path) for path in paths}

    def _parse(self, path: Path) -> Any:
        text = path.read_text(encoding="utf-8")
        if text.startswith(vaultfile.WHOLE_FILE):
            raise SecretsError(
                f"{path.relative_to(self.root)} is encrypted as a whole, which hides the names: run "
                f"ansible-vault decrypt on it, then bin/secrets init {self.name}, which encrypts value by value"
            )
        try:
            return yaml.load(text, Loader)  # noqa: S506 - Loader is a SafeLoader
        except yaml.YAMLError as error:
            raise SecretsError(f"{path} is not YAML: {error}") from None

    @cached_property
    def values(self) -> dict[str, Any]:
        """What the vault files hold, by name."""
        tops = [data for data in self.files.values() if isinstance(data, dict)]
        return {name: value for data in tops for name, value in data.items() if str(name).startswith("vault_")}

    @cached_property
    def plain(self) -> dict[str, list[Any]]:
        """What plain names are set to."""
        found: dict[str, list[Any]] = {}
        for data in self.files.values():
            for name, value in declared.definitions(data):
                if name and not name.startswith("vault_"):
                    found.setdefault(name, []).append(value)
        return found

    @cached_property
    def asked(self) -> list[declared.Declared]:
        """What the roles ask for."""
        specs = {path.parts[-3]: path for path in sorted(self.root.glob("roles/*/meta/argument_specs.yml"))}
        return [one for role, path in specs.items() for one in declared.declared_secrets(role, self._parse(path) or {})]

    @cached_property
    def needs(self) -> list[declared.Need]:
        """What the vault has to hold."""
        referred = set().union(*(declared.references(data) for data in self.files.values()))
        return declared.needs(self.asked, self.plain, referred)

    @property
    def left_open(self) -> dict[str, str]:
        """Real values in vault.yml that nobody encrypted yet."""
        return findings.left_open(self.files.get(self.vault_path) or {})

    @cached_property
    def states(self) -> dict[str, findings.State]:
        """How every name stands that the vault holds or should hold."""
        names = [*(need.name for need in self.needs), *self.values]
        return {
            name: findings.state(
                name, self.values, self.opened(name), encrypted=isinstance(self.values.get(name), Encrypted)
            )
            for name in names
        }

    def opened(self, name: str) -> str | None:
        """A vault value in plain; None when it is absent or can't be decrypted."""
        value = self.values.get(name)
        if isinstance(value, Encrypted):
            return self.decrypt(value.text)
        return None if value is None else str(value)

    @property
    def ca_key(self) -> str | None:
        """The CA's key, where the vault holds it."""
        names = (need.name for need in self.needs if CA_KEY in need.options)
        return next((self.opened(name) for name in names), None)

    def ca_problem(self, key: str | None) -> str:
        """What is wrong with the CA's certificate; empty when nothing is, or when nobody can tell."""
        certificates = self.plain.get(CA_CERTIFICATE) or []
        if not certificates:
            return "there is none"
        if key is None or not isinstance(certificates[0], str) or "{{" in certificates[0]:
            return ""
        return ca_problem(certificates[0], key)


def write(path: Path, text: str, mode: int) -> None:
    """Replace a file in one step. A dot file is no variable file to Ansible, if the work is killed here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
