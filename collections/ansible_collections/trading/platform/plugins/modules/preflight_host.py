# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_host
short_description: Look at a host before a run, in one round trip
version_added: 0.1.0
author: trading.platform contributors (@trading)
description:
  - Checks operating system, memory, disk space, clock, name resolution and ports, and returns the few facts that the
    platform's roles use. It replaces C(ansible.builtin.setup) for them.
  - It does not fail. M(trading.platform.preflight_verdict) judges all hosts together, so that one host's trouble does
    not hide another's.
options:
  os:
    description: Distribution and release that are allowed, for example V(Debian 12). Empty allows any.
    type: list
    elements: str
    default: []
  memory_mb_min:
    description: The least memory in MiB.
    type: int
  disks:
    description: Free space that must be there. A path that does not exist yet is measured at its nearest parent.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: A path.
        type: path
        required: true
      free_mb_min:
        description: The least free space in MiB.
        type: int
        required: true
  clock_offset_max_s:
    description:
      - How far the host's clock may be from the controller's, in seconds.
      - The controller's clock is read before and after the call, so only an offset that is certain counts.
    type: float
  names:
    description: Names that must resolve.
    type: list
    elements: str
    default: []
  names_timeout_s:
    description: How long all names together may take.
    type: int
    default: 5
  listens:
    description: Ports that must be free or held by the named process.
    type: list
    elements: dict
    default: []
attributes:
  check_mode:
    description: Changes nothing in either mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Look at the host
  trading.platform.preflight_host:
    os: [Debian 12, Debian 13]
    memory_mb_min: 900
    disks: [{path: /var, free_mb_min: 1024}]
    clock_offset_max_s: 5
    listens: [{port: 5432, proto: tcp, process: postgres}]
  register: seen
  ignore_unreachable: true
"""

RETURN = r"""
problems:
  description: What is not as it must be, each saying what to do. Empty when the host is ready.
  type: list
  elements: str
  returned: when the host was reached
clock_offset_s:
  description: The least the host's clock can be off, in seconds; positive when it is ahead.
  type: float
  returned: when the module ran
ansible_facts:
  description: Standard facts, and what M(trading.platform.packages) need not ask again in this run.
  type: dict
  returned: when the module ran
  contains:
    distribution:
      description: For example V(Debian).
      type: str
    distribution_version:
      description: For example V(12).
      type: str
    distribution_major_version:
      description: For example V(12).
      type: str
    distribution_release:
      description: For example V(bookworm).
      type: str
    os_family:
      description: For example V(Debian).
      type: str
    memtotal_mb:
      description: Memory in MiB.
      type: int
    processor_vcpus:
      description: Number of processors.
      type: int
    mounts:
      description: Disks, each with C(mount), where it is, and C(size_total) in bytes.
      type: list
    hostname:
      description: The short name.
      type: str
    architecture:
      description: For example V(x86_64).
      type: str
    installed_packages:
      description: Name, architecture and version, a line for each; empty while an installation is unfinished.
      type: str
"""

import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trading.platform.plugins.module_utils._packages.host import installed
from ansible_collections.trading.platform.plugins.module_utils._preflight import host

MIB = 1024 * 1024


def facts() -> dict[str, Any]:
    uname = os.uname()
    return {
        **host.os_facts(host.os_release(Path("/etc/os-release").read_text(encoding="utf-8"))),
        "memtotal_mb": host.memtotal_mb(Path("/proc/meminfo").read_text(encoding="utf-8")),
        "processor_vcpus": os.cpu_count() or 1,
        "mounts": [
            {"mount": place, "size_total": size(place)}
            for place in host.disk_mounts(Path("/proc/self/mounts").read_text(encoding="utf-8"))
        ],
        "hostname": uname.nodename.split(".")[0],
        "architecture": uname.machine,
        "installed_packages": installed(),
    }


def size(place: str) -> int:
    """0 where nobody may look."""
    try:
        stat = os.statvfs(place)
    except OSError:
        return 0
    return stat.f_blocks * stat.f_frsize


def free_mb(path: str) -> int:
    """Free space for an ordinary user where the path is or will be."""
    here = Path(path)
    while not here.exists() and here != here.parent:
        here = here.parent
    stat = os.statvfs(here)
    return stat.f_bavail * stat.f_frsize // MIB


def unresolved(names: list[str], timeout: int) -> list[str]:
    """All at once: a dead resolver costs one timeout, not one per name."""
    answers: dict[str, str] = dict.fromkeys(names, f"no answer within {timeout} s")

    def ask(name: str) -> None:
        try:
            socket.getaddrinfo(name, None)
            del answers[name]
        except OSError as exc:
            answers[name] = str(exc)

    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in list(answers)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + timeout
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return [
        f"it cannot resolve {name} ({why}): see /etc/resolv.conf and /etc/hosts on it"
        for name, why in list(answers.items())
    ]


def holders(inodes: set[str]) -> dict[str, list[str]]:
    """Inode to the processes that hold it, as `name (pid N)`."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, list[str]] = {inode: [] for inode in inodes}
    for process in Path("/proc").iterdir() if wanted else ():
        if not process.name.isdigit():
            continue
        try:
            links = [*(process / "fd").iterdir()]
            comm = (process / "comm").read_text(encoding="utf-8").strip()
        except OSError:
            continue  # it ended meanwhile, or is not ours to see
        for link in {target(link) for link in links} & wanted.keys():
            found[wanted[link]].append(f"{comm} (pid {process.name})")
    return found


def target(link: Path) -> str:
    """A server closes connections while it is looked at: that one is gone, and says nothing of the others."""
    try:
        return os.readlink(link)  # noqa: PTH115
    except OSError:
        return ""


def taken(listens: list[dict[str, Any]]) -> list[str]:
    """Ports of the list that another process holds."""
    bound = []
    for proto in ("tcp", "udp"):
        for table in (f"/proc/net/{proto}", f"/proc/net/{proto}6"):
            if Path(table).exists():
                bound += [(proto, *entry) for entry in host.sockets(Path(table).read_text(encoding="ascii"), proto)]
    meets = []
    for want in listens:
        first, _unused, last = str(want["port"]).partition("-")
        for proto, port, address, inode in bound:
            fits = proto == (want.get("proto") or "tcp") and int(first) <= port <= int(last or first)
            if fits and host.same_address(str(want.get("address") or ""), address):
                meets.append((want, port, proto, inode))
    by_inode = holders({inode for _want, _port, _proto, inode in meets})
    problems = []
    for want, port, proto, inode in meets:
        process = str(want.get("process") or "")
        if host.held_by_other(process, by_inode[inode]):
            role = str(want.get("role") or "")
            problems.append(host.port_problem(port, proto, process, role, by_inode[inode]))
    return list(dict.fromkeys(problems))


def inspect(params: dict[str, Any]) -> dict[str, Any]:
    seen = facts()
    problems = host.os_problem(seen, params["os"]) + host.memory_problem(seen["memtotal_mb"], params["memory_mb_min"])
    for disk in params["disks"]:
        problems += host.disk_problem(disk["path"], free_mb(disk["path"]), disk["free_mb_min"])
    problems += unresolved(params["names"], params["names_timeout_s"])
    problems += taken(params["listens"])
    return {"problems": problems, "ansible_facts": seen, "now": time.time()}


def main() -> None:
    disk = {"path": {"type": "path", "required": True}, "free_mb_min": {"type": "int", "required": True}}
    module = AnsibleModule(
        argument_spec={
            "os": {"type": "list", "elements": "str", "default": []},
            "memory_mb_min": {"type": "int"},
            "disks": {"type": "list", "elements": "dict", "default": [], "options": disk},
            "clock_offset_max_s": {"type": "float"},
            "names": {"type": "list", "elements": "str", "default": []},
            "names_timeout_s": {"type": "int", "default": 5},
            "listens": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **inspect(module.params))


if __name__ == "__main__":
    main()
