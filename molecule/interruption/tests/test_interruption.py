"""--check on empty hosts, runs killed at several points, a host that is down."""

from __future__ import annotations

import re
import time

import data
import edge
import pytest
import releases
from fleet import INVENTORY, docker, file_state, interrupt, playbook, site, start

# One whose packages are baked in, one that has to install everything.
EMPTY = ["app1", "lb2"]
# Differs between two installations of the same host, and must.
UNIQUE = (
    "/etc/docker/key.json",
    "/etc/letsencrypt",
    "/etc/ssh/ssh_host_",
    "/etc/trading-platform/pki",
    "/etc/trading-platform/tls",
    "/etc/machine-id",
    "/var/lib/trading-platform",
    "/var/lib/trading-firewall",
)
# Written by packages as they please, and by releases: backups, caches, what the first boot leaves.
SHIFTING = (
    "/etc/trading-platform/app/config",
    "/var/lib/containerd",
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/cache",
    "/var/lib/aide",
    "/root/",
    "/etc/.pwd.lock",
    "/var/backups",
)


def settled(name: str) -> set[str]:
    """What the platform decides on a host: the lines that two installations of it share."""

    def decided(line: str) -> bool:
        # sha256sum puts a backslash before a line whose path has one.
        hashed = re.match(r"\\?[0-9a-f]{64}  (.*)", line)
        path = hashed[1] if hashed else line.split(None, 2)[2].rstrip()
        return not path.startswith((*UNIQUE, *SHIFTING)) and not path.endswith("-")

    return {line for line in file_state(name) if decided(line)}


def emptied() -> None:
    """The containers anew, as the image made them."""
    for name in EMPTY:
        docker("rm", "--force", "--volumes", f"test-{name}")
    made = playbook("playbooks/fleet/up.yml")
    assert made.code == 0, made.output


def interrupted(task: str, after: float) -> None:
    """site.yml on the empty hosts, with Ctrl-C some time after a task began."""
    process = start("ansible-playbook", "site.yml", "-i", INVENTORY, "--limit", ",".join(EMPTY))
    assert process.stdout is not None
    printed, reached = [], False
    for line in process.stdout:
        printed.append(line)
        if line.startswith("TASK") and task in line:
            reached = True
            time.sleep(after)
            break
    printed.append(interrupt(process))
    code = process.returncode
    assert reached, f"the run never came to {task}\n" + "".join(printed)
    assert code != 0, "the run ended before the signal: nothing was interrupted\n" + "".join(printed)


@pytest.fixture(scope="module")
def wanted() -> dict[str, set[str]]:
    """How the hosts were before they were emptied: converged without interruption."""
    releases.any_release()
    return {name: settled(name) for name in EMPTY}


def test_check_on_empty_hosts_changes_nothing(wanted: dict[str, set[str]]) -> None:
    assert wanted
    emptied()
    before = {name: file_state(name) for name in EMPTY}
    ran = site("--check", "--diff", "--limit", ",".join(EMPTY))
    assert ran.code == 0, ran.output
    assert all(ran.changed[name] for name in EMPTY), "--check on an empty host predicted nothing"
    for name in EMPTY:
        assert file_state(name) ^ before[name] == set()


@pytest.mark.parametrize(
    ("task", "after"),
    [
        pytest.param("Land every file", 0.8, marks=pytest.mark.long),
        ("Packages", 2.0),
        pytest.param("Services", 0.4, marks=pytest.mark.long),
        pytest.param("guarded by the host", 1.0, marks=pytest.mark.long),
        ("Let the internal CA sign", 0.3),
    ],
)
def test_ctrl_c(task: str, after: float) -> None:
    interrupted(task, after)


def test_the_run_after_them_ends_like_one_that_was_never_interrupted(wanted: dict[str, set[str]]) -> None:
    repaired = site("--limit", ",".join(EMPTY))
    assert repaired.code == 0, repaired.output
    for name in EMPTY:
        assert settled(name) ^ wanted[name] == set()


def test_a_host_without_a_release_takes_no_request_and_joins_by_a_deploy() -> None:
    serving = releases.releases()["app2"].split("-")[0]
    seen = [edge.ask(host, "/api/orders", "POST").status for host in edge.HOSTS for _ in range(10)]
    assert set(seen) == {401}, "app1 has no release, and was asked"
    releases.converge(serving)


@pytest.mark.long
def test_a_host_that_is_down_stops_the_run_before_any_change() -> None:
    docker("stop", "--time", "20", "test-db2")
    before = file_state("db1")
    try:
        ran = site("--limit", "db", "-e", "base_banner=changed")
    finally:
        data.start_host("db2")
    assert ran.code != 0
    assert "db2     unreachable" in ran.output or "db2  unreachable" in ran.output
    assert "1 of 2 hosts not ready; nothing was changed" in ran.output
    assert file_state("db1") == before
    data.wait_healthy()
