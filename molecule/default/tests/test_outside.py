"""The fleet as another host sees it."""

from __future__ import annotations

import re
import subprocess

import pytest
from fleet import HOSTS, ROOT, address, inside, run
from slow_looks import SCANNED, STRAY, SlowLooks


@pytest.fixture(scope="session")
def open_ports(slow_looks: SlowLooks) -> dict[str, list[str]]:
    """Every TCP port that answers world1, of the whole range, by host."""
    seen = slow_looks.ports.result()
    hosts = re.findall(r"Host: (\S+) .*?Ports: (.*)", seen)
    found = {host: re.findall(r"(\d+)/open/tcp", ports) for host, ports in hosts}
    return {name: found[address(name)] for name in SCANNED}


# ops1: the inventory opens Grafana and Kibana to this network, and world1 sends its logs too.
@pytest.mark.parametrize(
    ("target", "ports"),
    [
        ("lb1", ["22", "80", "443"]),
        ("app2", ["22"]),
        ("db1", ["22"]),
        ("ops1", ["22", "3000", "5601", "20514"]),
    ],
)
def test_only_what_the_inventory_opens_answers(target: str, ports: list[str], open_ports: dict[str, list[str]]) -> None:
    assert open_ports[target] == ports


def test_the_scan_would_have_found_more(open_ports: dict[str, list[str]]) -> None:
    """db1 listens on the same port as db2; the one rule that was added by hand to db2 makes the difference."""
    assert str(STRAY) in inside("db1", f"ss -Hltn sport = :{STRAY}")
    assert open_ports["db2"] == ["22", str(STRAY)]


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
            [
                "ssh",
                "-F",
                config,
                "-o",
                "BatchMode=yes",
                "-o",
                "ControlPath=none",
                *options,
                f"{user}@{address(name)}",
                "true",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert refused.returncode == 255, refused
        assert "Permission denied (publickey)" in refused.stderr
