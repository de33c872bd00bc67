"""A bare Debian 12 with a user who has sudo and a checkout, nothing else: bin/up, bin/up again, bin/down.

The machine is a container made from the fleet's bare image, with an engine of its own inside. What this machine needs
to reach its mirrors (a CA bundle, a proxy, an index) goes in where it is set; all else is what bin/up brings.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from fleet import ROOT, Ran, docker, run

MACHINE = "newcomer"
CHECKOUT = "/home/dev/platform"
CA_BUNDLE = "/usr/local/share/machine-ca.pem"
HOSTS = 8
# Without the sbin directories, as Debian gives it to users.
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
FLAGS = [
    *("--cap-add=ALL", "--cap-drop=SYS_RESOURCE", "--cap-drop=SYS_MODULE", "--security-opt=seccomp=unconfined"),
    *("--cgroupns=host", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw", "--tmpfs=/run", "--tmpfs=/run/lock"),
    *("--stop-signal=SIGRTMIN+3", "--sysctl=net.ipv4.ip_forward=1"),
    # An overlay cannot lie on an overlay.
    *("--volume=/var/lib/docker", "--volume=/home/dev"),
]


def surroundings() -> dict[str, str]:
    """The variables by which this machine finds its mirrors, with the CA bundle where the newcomer has it."""
    bundles = {"PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    carried = re.compile(r"(http|https|no)_proxy|(PIP|UV)_(\w*INDEX\w*|DEFAULT_TIMEOUT|HTTP_TIMEOUT|NATIVE_TLS)", re.I)
    found = {name: value for name, value in os.environ.items() if carried.fullmatch(name)}
    return found | dict.fromkeys(bundles & set(os.environ), CA_BUNDLE)


def as_root(script: str) -> str:
    ran = docker("exec", MACHINE, "sh", "-ec", script)
    assert ran.code == 0, ran.output
    return ran.output.strip()


def as_dev(*command: str) -> tuple[Ran, float]:
    """A command in the checkout and the seconds that it took."""
    environment = {"HOME": "/home/dev", "USER": "dev", "PATH": PATH, "ANSIBLE_PROGRESS": "plain", **surroundings()}
    given = [f"--env={name}={value}" for name, value in environment.items()]
    began = time.monotonic()
    ran = run("docker", "exec", "--user=dev", f"--workdir={CHECKOUT}", *given, MACHINE, *command, timeout=1200)
    return ran, time.monotonic() - began


def add_sources() -> None:
    """An installer leaves three package sources; the image has the first, and base would write the others."""
    main = as_root("cut -d' ' -f2 /etc/apt/sources.list").rstrip("/")
    security = os.environ.get("FLEET_SECURITY_MIRROR", f"{main}-security")
    as_root(
        f"echo 'deb {main} bookworm-updates main' >>/etc/apt/sources.list;"
        f"echo 'deb {security} bookworm-security main' >>/etc/apt/sources.list"
    )


def copy_checkout() -> None:
    """What a clone of this working tree would hold: everything but what git ignores."""
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    archive = subprocess.run(
        ["tar", "-c", "--null", "--files-from=-", "--ignore-failed-read", "--owner=dev:1001", "--group=dev:1001"],
        cwd=ROOT,
        input=files.stdout,
        stdout=subprocess.PIPE,
        check=True,
    )
    unpack = ["docker", "exec", "-i", "--user=dev", MACHINE, "tar", "-x", "-C", CHECKOUT]
    subprocess.run(unpack, input=archive.stdout, check=True)


@pytest.fixture(scope="module")
def machine() -> Iterator[None]:
    image = run("roles/fleet/files/fleet-image", "bookworm", "bare").output.split()[-1]
    # The label is bin/down's handle on it.
    labelled = ["--name", MACHINE, "--hostname", MACHINE, "--label", f"trading.platform.fleet={MACHINE}"]
    remove()
    started = docker("run", "--detach", *labelled, *FLAGS, image, "/lib/systemd/systemd")
    assert started.code == 0, started.output
    try:
        as_root("timeout 60 sh -c 'until systemctl is-system-running --wait >/dev/null 2>&1; do sleep 0.5; done'")
        as_root(
            "useradd --uid 1001 --shell /bin/bash dev; install -d -o dev -g dev /home/dev /home/dev/platform;"
            "echo 'dev ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/dev;"
            # A real machine's /proc/sys can be written to.
            "mount -o remount,rw /proc/sys"
        )
        add_sources()
        bundle = os.environ.get("SSL_CERT_FILE") or os.environ.get("PIP_CERT")
        if bundle:
            docker("cp", bundle, f"{MACHINE}:{CA_BUNDLE}")
        copy_checkout()
        yield
    finally:
        remove()


def remove() -> None:
    # The inner containers first: their control groups would stay on this machine.
    docker("exec", MACHINE, "sh", "-c", "docker ps -aq | xargs -r docker rm --force --volumes")
    run("bin/down", MACHINE, "--keep-images")


def test_two_commands(machine: None, capsys: pytest.CaptureFixture[str]) -> None:
    cold, cold_seconds = as_dev("bin/up")
    assert cold.code == 0, cold.output
    assert "The fleet stands" in cold.output

    warm, warm_seconds = as_dev("bin/up")
    assert warm.code == 0, warm.output
    # The recap of the fleet's playbook and that of site.yml.
    assert re.findall(r": ok=\d+\s+changed=(\d+)", warm.output) == ["0"] * 2 * HOSTS, warm.output

    reached, _ = as_dev("ssh", "-F", ".fleet/demo/ssh_config", "db1", "hostname")
    assert reached.output.split()[-1] == "db1", reached.output

    down, down_seconds = as_dev("bin/down")
    assert down.code == 0, down.output
    assert as_root("docker ps -aq") == ""
    assert as_root("docker volume ls -q") == ""
    assert as_root("docker images -aq") == ""
    assert sorted(as_root("docker network ls --format '{{.Name}}'").split()) == ["bridge", "host", "none"]
    assert as_root(f"ls -A {CHECKOUT}/.fleet") == ""

    with capsys.disabled():
        sys.stdout.write(f"\nbin/up {cold_seconds:.0f} s, again {warm_seconds:.0f} s, bin/down {down_seconds:.0f} s\n")
