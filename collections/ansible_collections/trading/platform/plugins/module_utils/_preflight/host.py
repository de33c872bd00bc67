# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host must be like before a run: pure judgements over what the module has read. Runs on the host: stdlib."""

from __future__ import annotations

# Ansible's names for the families of what a host calls itself in os-release.
FAMILIES = {"debian": "Debian", "ubuntu": "Debian", "rhel": "RedHat", "fedora": "RedHat", "centos": "RedHat"}
NAMES = {"debian": "Debian", "ubuntu": "Ubuntu", "rhel": "RedHat", "rocky": "Rocky", "almalinux": "AlmaLinux"}
LISTEN, UNCONNECTED = "0A", "07"
COMM_LENGTH = 15
V4_LENGTH = 8
REASON_LENGTH = 200


def os_release(text: str) -> dict[str, str]:
    """The keys of /etc/os-release."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, _equals, value in pairs}


def os_facts(release: dict[str, str]) -> dict[str, str]:
    """Ansible's standard facts from os-release."""
    ident = release.get("ID", "unknown")
    like = [ident, *release.get("ID_LIKE", "").split()]
    version = release.get("VERSION_ID", "")
    return {
        "distribution": NAMES.get(ident, ident.capitalize()),
        "distribution_version": version,
        "distribution_major_version": version.split(".", maxsplit=1)[0],
        "distribution_release": release.get("VERSION_CODENAME", ""),
        "os_family": next((FAMILIES[name] for name in like if name in FAMILIES), ident.capitalize()),
    }


def memtotal_mb(meminfo: str) -> int:
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def disk_mounts(mounts: str) -> list[str]:
    """Where disks are mounted, by /proc/self/mounts. A network's may be away and would hold everything up."""
    fields = [line.split()[:3] for line in mounts.splitlines()]
    return [place for device, place, kind in fields if place == "/" or device.startswith("/") or kind == "zfs"]


def os_problem(facts: dict[str, str], allowed: list[str]) -> list[str]:
    mine = {f"{facts['distribution']} {facts[key]}" for key in ("distribution_version", "distribution_major_version")}
    if not allowed or mine & set(allowed):
        return []
    name = f"{facts['distribution']} {facts['distribution_version']}"
    return [f"it runs {name}; supported are {', '.join(allowed)}: reinstall it, or add it to common_os once tested"]


def memory_problem(have: int, wanted: int | None) -> list[str]:
    if not wanted or have >= wanted:
        return []
    return [f"it has {have} MiB of memory, {wanted} MiB are needed: give it more, or lower common_memory_mb_min"]


def disk_problem(path: str, free_mb: int, wanted: int) -> list[str]:
    if free_mb >= wanted:
        return []
    return [f"{path} has {free_mb} MiB free, {wanted} MiB are needed: free space there, or grow the file system"]


def clock_offset(before: float, host: float, after: float) -> float:
    """The least the host's clock can be off, given the controller's time around the call."""
    if host < before:
        return host - before
    return max(0.0, host - after)


def clock_problem(offset: float, allowed: float | None) -> list[str]:
    if allowed is None or abs(offset) <= allowed:
        return []
    way = "ahead of" if offset > 0 else "behind"
    return [
        f"its clock is {abs(offset):.1f} s {way} the controller's, {allowed:g} s are allowed: "
        "mend time synchronisation on the one that is wrong (`timedatectl`)"
    ]


def sockets(text: str, proto: str) -> list[tuple[int, str, str]]:
    """(port, address, inode) of listening TCP or unconnected UDP sockets from /proc/net/{tcp,tcp6,udp,udp6}."""
    wanted = LISTEN if proto == "tcp" else UNCONNECTED
    found = []
    for line in text.splitlines()[1:]:
        parts = line.split()
        if len(parts) > 9 and parts[3] == wanted:  # noqa: PLR2004
            address, port = parts[1].rsplit(":", 1)
            found.append((int(port, 16), readable(address), parts[9]))
    return found


def readable(address: str) -> str:
    """The kernel's little-endian hex; every unspecified address is ''."""
    if not address.strip("0"):
        return ""
    raw = bytes.fromhex(address)
    words = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    if len(address) == V4_LENGTH:
        return ".".join(str(byte) for byte in words)
    if words[:12] == bytes(10) + b"\xff\xff":
        return ".".join(str(byte) for byte in words[12:])
    return ":".join(words[i : i + 2].hex() for i in range(0, 16, 2))


def same_address(wanted: str, bound: str) -> bool:
    """Whether a wanted listen address (IPv4 or a name for any) meets a bound one."""
    return wanted in ("", "*", "0.0.0.0", "::", "[::]", "any") or not bound or wanted == bound  # noqa: S104


def held_by_other(process: str, holders: list[str]) -> bool:
    """Whether a port in use is not the expected process's. systemd may hold it for the service (socket activation)."""
    if not process:
        return False
    fitting = {process, process[:COMM_LENGTH], "systemd"}
    return not any(holder.split(" ")[0] in fitting for holder in holders)


def port_problem(port: object, proto: str, process: str, role: str, holders: list[str]) -> str:
    who = " and ".join(holders) if holders else "a process that /proc does not show (another namespace?)"
    wants = f"the role {role} wants it for {process}" if role else f"{process} needs it"
    return (
        f"port {port}/{proto} is held by {who}, and {wants}: stop that process, or move one of the two to another port"
    )


def verdict(states: dict[str, tuple[str, list[str]]]) -> tuple[bool, list[str]]:
    """Whether every host is ready, and a table: host, state, and each problem on a line of its own."""
    width = max((len(host) for host in states), default=0)
    lines = []
    for host, (state, problems) in states.items():
        first, *rest = problems or [""]
        lines.append(f"  {host:<{width}}  {state:<11}  {first}".rstrip())
        lines += [f"  {'':<{width}}  {'':<11}  {problem}" for problem in rest]
    return all(state == "ready" for state, _problems in states.values()), lines


def reason(text: str) -> str:
    """Ansible's reason for an unreachable host, on one line of bearable length."""
    flat = " ".join(text.split()).removeprefix("Task failed: ")
    if len(flat) <= REASON_LENGTH:
        return flat or "no reason was given"
    return f"{flat.split('. ')[0][:REASON_LENGTH]}: {flat[-REASON_LENGTH // 2 :]}"


def message(states: dict[str, tuple[str, list[str]]], lines: list[str], limit: str = "") -> str:
    """What the run fails with."""
    bad = {
        state: [host for host, (s, _problems) in states.items() if s == state] for state in ("unreachable", "not ready")
    }
    count = sum(len(hosts) for hosts in bad.values())
    text = [f"{count} of {len(states)} hosts not ready; nothing was changed:", *lines]
    if bad["unreachable"]:
        # Narrows the limit that was given: a wider one would change hosts nobody asked for.
        without = ",".join([limit or "all", *(f"!{host}" for host in bad["unreachable"])])
        text.append(
            f"Bring {', '.join(bad['unreachable'])} back, or leave out what stays down: --limit '{without}' "
            "(what is skipped stays as it is until the next run)."
        )
    return "\n".join(text)
