"""The CA's key and the content of secret files are in no output, no log and no left-over file."""

from __future__ import annotations

import contextlib
import secrets
import time
from pathlib import Path

import pytest
from ansible_collections.trading.platform.plugins.plugin_utils._secret_files import Environment
from fleet import INVENTORY, ROOT, Ran, inside, interrupt, run, site, start

SECRET_FILE = ROOT / "molecule/certificates/secret_file.yml"
SIGN = ["ansible-playbook", "site.yml", "-i", str(INVENTORY), "--limit", "db1", "-e", "pki_renew_now=true"]


class CaKey:
    """Counts the lines of the CA's key in a text. Not a list or a dataclass, whose values pytest would print."""

    def __init__(self) -> None:
        key = Environment(ROOT, "local").ca_key or ""
        self._lines = [line for line in key.splitlines() if line and "-----" not in line]

    def lines(self) -> int:
        return len(self._lines)

    def found_in(self, text: str) -> int:
        return sum(line in text for line in self._lines)


@pytest.fixture(scope="module")
def ca_key() -> CaKey:
    key = CaKey()
    assert key.lines() > 2, "there is no CA key: bin/secrets init local"
    return key


def journal() -> str:
    return inside("db1", "journalctl -o cat --since -10min")


def temporary() -> set[Path]:
    """Ansible's temporary files on the controller."""
    places = [Path("~/.ansible/tmp").expanduser(), *Path("/tmp").glob("ansible*")]
    return {path for place in places for path in [place, *place.rglob("*")] if path.is_file()}


def with_keys(paths: set[Path]) -> set[Path]:
    """Those that hold a private key; one may vanish meanwhile."""
    found = set()
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            found |= {path} if b"PRIVATE KEY" in path.read_bytes() else set()
    return found


def test_the_ca_key_is_in_no_output_and_no_log(ca_key: CaKey) -> None:
    ran = site("-vvv", "--diff", "--tags", "base,pki", "--limit", "db1", "-e", "pki_renew_now=true")
    output, logged = ran.output, journal()
    # Not in the asserts: pytest would print what it compares.
    found = {"output": ca_key.found_in(output), "log": ca_key.found_in(logged)}
    assert found == {"output": 0, "log": 0}
    assert ran.code == 0, output
    assert "Let the internal CA sign" in output, "the CA did not sign, so nothing could leak"
    assert "renew_before_days=36500" in logged, "the host's log says nothing of the run"


@pytest.mark.parametrize("fails", ["nothing", "validate", "apply"])
def test_a_secret_file_is_in_no_output_and_no_log(fails: str) -> None:
    canary = f"canary-{secrets.token_hex(16)}"

    def land() -> Ran:
        command = ["ansible-playbook", str(SECRET_FILE), "-i", str(INVENTORY), "-vvv", "--diff", "-e", f"fails={fails}"]
        return run(*command, STORY_SECRET=canary)

    try:
        ran = land()
        assert (ran.code == 0) == (fails == "nothing"), ran.output.replace(canary, "CANARY")
        assert (canary in inside("db1", "cat /opt/story/key 2>/dev/null || true")) == (fails != "validate")
        for text in (ran.output, journal(), inside("db1", "find /tmp /run -type f -name 'key*' -exec cat {} +")):
            assert text.replace(canary, "CANARY") == text
    finally:
        inside("db1", "rm -rf /opt/story /var/lib/trading-platform/config_tree/story.json")


def test_ctrl_c_while_the_ca_signs_leaves_no_key_behind() -> None:
    before, seen = temporary(), set()
    with start(*SIGN, "--tags", "pki") as process:
        assert process.stdout is not None
        reached = any(line.startswith("TASK") and "Let the internal CA sign" in line for line in process.stdout)
        # A key that never is in a file cannot stay in one, whenever the signal comes.
        until = time.monotonic() + 0.4
        while time.monotonic() < until:
            seen |= with_keys(temporary() - before)
        interrupt(process)
    assert reached, "the run never came to the signing"
    assert process.returncode != 0, "the run ended before the signal: nothing was interrupted"
    assert seen | with_keys(temporary() - before) == set()


def test_the_host_is_healthy_afterwards() -> None:
    ran = site("--limit", "db1", "--tags", "pki,postgres")
    assert ran.code == 0, ran.output
    assert ran.changed["db1"] == 0, ran.output
