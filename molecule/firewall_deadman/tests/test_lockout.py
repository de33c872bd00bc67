"""What else could lock everybody out: a wrong key in the inventory, and a boot in the middle of a first run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fleet import ROOT, Ran, inside, run, site

VICTIM = "db2"
KEYS = "/etc/ssh/authorized_keys.d/ansible"
IN_FORCE = ROOT / ".fleet/test/id_ed25519.pub"


@pytest.fixture(scope="module")
def new_key(tmp_path_factory: Any) -> str:
    path: Path = tmp_path_factory.mktemp("key") / "id"
    assert run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "new", "-f", path).code == 0
    return path.with_suffix(".pub").read_text().strip()


def base_with(keys: list[str], *arguments: str) -> Ran:
    admins = [{"name": "ansible", "uid": 1000, "keys": keys, "sudo": True}]
    return site("--limit", VICTIM, "--tags", "base", "-e", json.dumps({"base_admins": admins}), *arguments)


@pytest.mark.parametrize("arguments", [["--check"], []], ids=["check", "for real"])
def test_a_wrong_key_stops_before_anything_lands(new_key: str, arguments: list[str]) -> None:
    before = inside(VICTIM, f"cat {KEYS}")
    ran = base_with([new_key], *arguments)
    assert ran.code != 0
    assert "None of the keys that base_admins gives ansible is in force" in " ".join(ran.output.split())
    assert "list the new key beside the old one" in " ".join(ran.output.split())
    assert inside(VICTIM, f"cat {KEYS}") == before


def test_a_key_is_changed_by_way_of_both(new_key: str) -> None:
    both = [new_key, IN_FORCE.read_text().strip()]
    try:
        ran = base_with(both)
        assert ran.code == 0, ran.output
        assert inside(VICTIM, f"cat {KEYS}").splitlines() == both
    finally:
        back = site("--limit", VICTIM, "--tags", "base")
    assert back.code == 0, back.output
    assert inside(VICTIM, f"cat {KEYS}").splitlines() == both[1:]


def test_a_first_run_is_held_to_the_keys_that_let_it_in(new_key: str) -> None:
    """Before base has been there, sshd reads ~/.ssh, and so the keys in force are those."""
    places = [("/etc/ssh/sshd_config.d/10-trading.conf", "/root/aside.conf"), (KEYS, "/root/aside.keys")]
    inside(VICTIM, " && ".join(f"mv {place} {aside}" for place, aside in places) + " && systemctl reload ssh")
    try:
        ran = base_with([new_key])
        assert ran.code != 0
        assert "in /home/ansible/.ssh/authorized_keys" in " ".join(ran.output.split())
    finally:
        inside(VICTIM, " && ".join(f"mv {aside} {place}" for place, aside in places) + " && systemctl reload ssh")


def logs_in() -> bool:
    return run("ssh", "-F", ROOT / ".fleet/test/ssh_config", "-o", "ControlPath=none", VICTIM, "true").code == 0


def test_a_boot_makes_the_group_that_sshd_asks_for() -> None:
    """A first run killed between its files and its commands leaves sshd asking for a group that nobody made."""
    inside(VICTIM, "groupdel trading-admins")
    try:
        assert not logs_in(), "the lockout was never real"
        inside(VICTIM, "systemctl restart ssh")
        assert logs_in()
    finally:
        inside(VICTIM, "/usr/local/sbin/trading-admins")


def test_sshd_starts_without_the_scripts() -> None:
    inside(VICTIM, "mv /usr/local/sbin/trading-admins /root/script-aside")
    try:
        inside(VICTIM, "systemctl restart ssh")
        assert logs_in()
    finally:
        inside(VICTIM, "mv /root/script-aside /usr/local/sbin/trading-admins")
