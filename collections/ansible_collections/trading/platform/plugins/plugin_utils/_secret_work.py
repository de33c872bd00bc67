# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bin/secrets does: init makes what is missing, check names what is wrong. Both yield lines for the operator."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.trading.platform.plugins.module_utils._secrets import declared, findings, vaultfile
from ansible_collections.trading.platform.plugins.plugin_utils._secret_files import (
    CA_CERTIFICATE,
    CA_KEY,
    Encrypted,
    Environment,
    SecretsError,
    write,
)
from ansible_collections.trading.platform.plugins.plugin_utils._secret_values import generate, self_signed

CA_HEAD = "---\n# The internal CA's certificate, which is no secret. Written by bin/secrets init.\n"


def init(env: Environment) -> Iterator[str]:
    """Make what is missing, keep what is there."""
    yield from _ensure_password(env)
    locked = sorted(name for name, state in env.states.items() if state is findings.State.LOCKED)
    if locked:
        raise SecretsError(
            f"{env.password_path} does not open {', '.join(locked)}: put the right password there, "
            "or delete these values and run again to have new ones made"
        )
    short = [need.name for need in env.needs if env.states[need.name] is findings.State.SHORT]
    missing = [
        need for need in env.needs if env.states[need.name] is not findings.State.GOOD and need.name not in short
    ]
    made = {need.name: generate(need.kind) for need in missing if not need.elsewhere}
    bare = env.left_open
    if made or bare:
        blocks = {name: vaultfile.inline(name, env.encrypt(value)) for name, value in {**bare, **made}.items()}
        old = env.vault_path.read_text(encoding="utf-8") if env.vault_path.exists() else ""
        write(env.vault_path, vaultfile.with_values(old, blocks), 0o600)
    where = env.vault_path.relative_to(env.root)
    yield from (f"made {name}" for name in sorted(made))
    yield from (f"encrypted {name}, which stood in {where} as plain text" for name in sorted(bare))
    made_key = next((made[need.name] for need in env.needs if CA_KEY in need.options and need.name in made), None)
    yield from _init_ca(env, made_key or env.ca_key)
    by_hand = [need.name for need in missing if need.elsewhere]
    yield from (f"you must fill in {name}: somebody else issues it" for name in by_hand)
    if by_hand:
        yield f"Write them into {where} and run bin/secrets init {env.name} again, which encrypts them."
    for name in short:
        yield f"{name} {findings.State.SHORT.value}: delete it from {where} and run again to have a new one made"
    if not made and not bare and not by_hand and not short:
        yield f"{env.name}: all {len(env.needs)} secrets are there."


def check(env: Environment) -> Iterator[str]:
    """Name everything that is wrong."""
    if not env.secret:
        yield f"there is no vault password in {env.password_path}"
    elif env.exposed:
        yield env.exposed
    yield from findings.in_vault(env.needs, env.states, str(env.password_path))
    for name in sorted(env.left_open):
        yield f"{name} stands in vault.yml as plain text: bin/secrets init {env.name} encrypts it"
    yield from findings.in_plain(env.asked, env.plain)
    for option in dict.fromkeys(one.option for one in env.asked):
        for value in env.plain.get(option, []):
            if isinstance(value, Encrypted) and env.decrypt(value.text) is None:
                yield f"{option} can't be decrypted with the password in {env.password_path}"
    problem = env.ca_problem(env.ca_key) if any(one.option == CA_KEY for one in env.asked) else ""
    if problem:
        yield f"{CA_CERTIFICATE}: {problem}"


def summary(env: Environment) -> str:
    """What check says when nothing is wrong."""
    lookups = sum(declared.by_lookup(value) for one in env.asked for value in env.plain.get(one.option, []))
    return f"{env.name}: {len(env.needs)} secrets are in the vault, {lookups} come by lookup."


def _ensure_password(env: Environment) -> Iterator[str]:
    """Make the password file, unless something was encrypted with another one before."""
    if env.secret:
        if env.exposed:
            raise SecretsError(env.exposed)
        return
    if env.vault_path.exists() and vaultfile.WHOLE_FILE in env.vault_path.read_text(encoding="utf-8"):
        raise SecretsError(
            f"{env.vault_path.relative_to(env.root)} is encrypted and there is no {env.password_path}: "
            "get that file from a colleague"
        )
    env.password_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write(env.password_path, generate("text") + "\n", 0o600)
    del env.secret
    yield f"made the vault password {env.password_path}: keep a copy of it where the team keeps such things"


def _init_ca(env: Environment, key: str | None) -> Iterator[str]:
    """The CA's certificate, which is no secret."""
    problem = env.ca_problem(key)
    if not problem:
        return
    if key is None:
        yield f"you must fill in {CA_CERTIFICATE}: the CA's key is not in the vault, and {problem}"
        return
    holders = [path for path, data in env.files.items() if isinstance(data, dict) and CA_CERTIFICATE in data]
    others = [path for path in holders if path != env.ca_path]
    if others:
        raise SecretsError(f"{CA_CERTIFICATE} in {others[0].relative_to(env.root)}: {problem}. Correct it there")
    try:
        certificate = self_signed(env.name, key)
    except ValueError as error:
        raise SecretsError(str(error)) from None
    write(env.ca_path, CA_HEAD + vaultfile.literal(CA_CERTIFICATE, certificate), 0o644)
    yield f"made {CA_CERTIFICATE}, as {problem}"
