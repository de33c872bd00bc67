"""What every scenario's tests stand on: the fleet's hosts, and the commands an operator would type.

It is the test fleet, unless FLEET_INVENTORY names another one, as for bench/run: a story can be tried on the demo's.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import testinfra
import yaml

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / os.environ.get("FLEET_INVENTORY", "molecule/shared/inventory")
NAME: str = yaml.safe_load((INVENTORY / "hosts.yml").read_text())["all"]["vars"]["fleet_name"]
FLEET = ROOT / ".fleet" / NAME
HOSTS = ["lb1", "lb2", "app1", "app2", "db1", "db2", "ops1", "world1"]

# Molecule forces colours on what runs below it; what is read here has none.
ENVIRONMENT = {
    **os.environ,
    "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    "ANSIBLE_FORCE_COLOR": "false",
    "ANSIBLE_NOCOLOR": "true",
    "ANSIBLE_PROGRESS": "plain",
}


# In production the controller is another machine: here it leaves the processors to the fleet and its clients.
YIELDING = ["nice", "-n", "15"]


def folded(text: str) -> str:
    """As one line: what prints it may break it anywhere."""
    return re.sub(r"\s+", " ", text)


@dataclass(frozen=True)
class Ran:
    """A command that ended: its exit code and all that it printed."""

    code: int
    output: str

    @property
    def folded(self) -> str:
        """The output as one line."""
        return folded(self.output)

    @property
    def changed(self) -> dict[str, int]:
        """Changed tasks by host, from the recap."""
        return {host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", self.output, re.M)}


def yielding(command: Sequence[str | Path]) -> list[str]:
    return [*(YIELDING if command[0] == "ansible-playbook" else []), *map(str, command)]


def run(*command: str | Path, timeout: int = 600, **environment: str) -> Ran:
    process = subprocess.run(
        yielding(command),
        cwd=ROOT,
        env={**ENVIRONMENT, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Ran(process.returncode, process.stdout)


def start(*command: str | Path) -> subprocess.Popen[str]:
    """A command that goes on while its output is read; Ansible's own callback says when a task begins."""
    return subprocess.Popen(
        yielding(command),
        cwd=ROOT,
        env={**ENVIRONMENT, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def interrupt(process: subprocess.Popen[str]) -> str:
    """Ctrl-C until the run ends, as a person would: a signal that meets Python inside a lock's release is dropped."""
    for _ in range(15):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=2)[0]
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    return process.communicate()[0]


def playbook(name: str | Path, *arguments: str, timeout: int = 600) -> Ran:
    return run("ansible-playbook", name, "-i", INVENTORY, *arguments, timeout=timeout)


def site(*arguments: str) -> Ran:
    return playbook("site.yml", *arguments)


def docker(*arguments: str) -> Ran:
    return run("docker", *arguments)


def container(host: str) -> str:
    return f"{NAME}-{host}"


def inside(host: str, script: str) -> str:
    """What a shell inside the container prints, past SSH: for looking while SSH is broken on purpose."""
    ran = docker("exec", container(host), "sh", "-c", script)
    assert ran.code == 0, ran.output
    return ran.output


def connect(name: str) -> Any:
    return testinfra.get_host(f"ssh://{name}?sudo=true", ssh_config=str(FLEET / "ssh_config"))


def address(name: str) -> str:
    found = re.search(rf"^Host {name}\n  HostName (\S+)", (FLEET / "ssh_config").read_text(), re.M)
    assert found, f"{name} is not in {FLEET}/ssh_config"
    return found[1]


def standing() -> list[str]:
    """The fleet's hosts; not every fleet has all of HOSTS."""
    return re.findall(r"^Host (\w+)\n  HostName", (FLEET / "ssh_config").read_text(), re.M)


def service_starts(name: str) -> str:
    """Each running service with the moment it started: equal before and after means that nothing was restarted."""
    return inside(
        name,
        "systemctl list-units --type=service --state=running --plain --no-legend | cut -d' ' -f1 | grep -v '^user@' |"
        " sort | xargs systemctl show --property=Id,ActiveEnterTimestampMonotonic,NRestarts",
    )


# What changes by itself: logs, caches, temporary files, what apt refreshes for a --check, what running servers
# and timers keep, and the store that Debian's Java makes anew, with another date, whenever the host's trusted CAs
# change.
MOVING = (
    "/var/lib/postgresql /var/lib/etcd /var/lib/redis /var/lib/valkey /var/lib/docker /var/lib/prometheus "
    "/var/lib/elasticsearch /var/lib/log-collector /var/lib/trading-platform/backup/results "
    "/var/spool /var/log /var/tmp /var/cache/apt /var/lib/systemd /var/lib/chrony "
    "/home/ansible/.ansible /etc/ssl/certs/java /tmp /run /proc /sys /dev"
)


# What packages bring: nothing of ours writes there, and reading all of it takes ten seconds.
PACKAGED = "/usr/bin /usr/sbin /usr/lib /usr/libexec /usr/share /usr/include"


def file_state(name: str) -> set[str]:
    """All that lies on the host: kind, mode, owner and target of each entry, each file's hash, or size in PACKAGED."""
    prune = " -o ".join(f"-path {path}" for path in MOVING.split())
    packaged = " -o ".join(f"-path {path}" for path in PACKAGED.split())
    everything = f"find / \\( {prune} \\) -prune -o"
    entries = f"{everything} \\( -type f -o -type l -o -type d \\) -printf '%y%m %u:%g %p %l\\n'"
    sizes = f"find {PACKAGED} -type f -printf 'size %s %p\\n' 2>/dev/null || true"
    hashes = f"find / \\( {prune} -o {packaged} \\) -prune -o -type f -print0 | xargs -0 sha256sum"
    return set(inside(name, f"{entries}; {sizes}; {hashes}").splitlines())


def each_kind_of_host() -> dict[str, set[str]]:
    """file_state of one host of each Debian, an edge and an app; of every host where the fleet has neither.

    Each one takes ten seconds.
    """
    names = standing()
    return {name: file_state(name) for name in {"lb1", "app2"}.intersection(names) or names}
