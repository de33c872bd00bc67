"""The fleet as another host sees it."""

from __future__ import annotations

import re
import subprocess

import pytest
from fleet import HOSTS, ROOT, address, inside, run


def open_ports(viewer: str, target: str) -> list[str]:
    """Every TCP port of target that answers viewer, the whole range."""
    seen = inside(viewer, f"nmap -n -Pn -p- -T5 --max-retries 1 --min-rate 4000 -oG - {address(target)}")
    assert "Nmap done" in seen, seen
    return re.findall(r"(\d+)/open/tcp", seen)


@pytest.mark.parametrize("target", ["lb1", "app2", "db1"])
def test_only_what_the_inventory_opens_answers(target: str) -> None:
    assert open_ports("ops1", target) == ["22"]


def test_a_service_that_nobody_opened_is_not_reached() -> None:
    """The scan above can go red: a listener without an opening stays hidden, and is there from inside."""
    inside("db2", "systemd-run --unit=stray --collect python3 -m http.server 8099 --bind 0.0.0.0")
    try:
        inside("db2", "for i in 1 2 3 4 5 6 7 8 9 10; do ss -Hltn sport = :8099 | grep -q . && exit 0; sleep 0.5; done; exit 1")
        assert open_ports("ops1", "db2") == ["22"]
    finally:
        inside("db2", "systemctl stop stray")


@pytest.mark.parametrize(
    ("target", "policy"),
    [("db1", "Hardened Debian 12 (version 3)"), ("app2", "Hardened Debian 13 (version 1)")],
)
def test_ssh_audit_policy(target: str, policy: str) -> None:
    judged = run("ssh-audit", "--policy", policy, address(target))
    assert judged.code == 0, judged.output


@pytest.mark.parametrize("name", HOSTS)
def test_ssh_takes_no_password_and_no_root(name: str) -> None:
    config = ROOT / ".fleet/test/ssh_config"
    for user, options in [("root", []), ("ansible", ["-o", "PubkeyAuthentication=no"])]:
        refused = subprocess.run(
            ["ssh", "-F", config, "-o", "BatchMode=yes", "-o", "ControlPath=none", *options, f"{user}@{address(name)}", "true"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert refused.returncode == 255, refused
        assert "Permission denied (publickey)" in refused.stderr
