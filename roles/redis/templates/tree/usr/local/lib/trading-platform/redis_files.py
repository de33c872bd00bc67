"""What the daemons' files say and become, as text; no file is opened here. Managed by Ansible (role redis)."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path


def directives(text: str) -> dict[str, str]:
    """Settings of a configuration file; the name in lower case, the value without its quotes."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            name, *rest = shlex.split(line)
            found[name.lower()] = " ".join(rest)
    return found


def differing(wanted: str, running: str) -> dict[str, str | None]:
    """Settings that the running server does not have; None for one that left the file."""
    new, old = directives(wanted), directives(running)
    changed: dict[str, str | None] = {name: value for name, value in new.items() if old.get(name) != value}
    return {**changed, **{name: None for name in old if name not in new}}


def taken(running: str, wanted: str, names: Iterable[str]) -> str:
    """The text of what the server runs with, after it took up these settings."""
    new = {**directives(running), **{name: directives(wanted)[name] for name in names}}
    return "".join(f"{name} {quoted(value)}\n" for name, value in sorted(new.items()))


def acl_users(text: str) -> dict[str, list[str]]:
    """Rules by user of an ACL file."""
    words = (line.split() for line in text.splitlines())
    return {found[1]: found[2:] for found in words if len(found) > 1 and found[0] == "user"}


def acl_commands(wanted: str, running: str) -> list[list[str]]:
    """User by user, each at one stroke: ACL LOAD would close every connection, the replica's too."""
    new, old = acl_users(wanted), acl_users(running)
    set_ = [["ACL", "SETUSER", name, "reset", *rules] for name, rules in new.items() if old.get(name) != rules]
    return set_ + [["ACL", "DELUSER", name] for name in old if name not in new]


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def redis_file(include: Path, master: str, port: int) -> str:
    """The file that Redis rewrites. What it adds comes after the include and would win: dropped at each start."""
    head = f"# Made at each start by redis_member.py; settings come from the include.\ninclude {include}\n"
    return head + (f"replicaof {master} {port}\n" if master else "")


def local_master(text: str) -> str:
    """Whom the daemon's own file follows; empty for nobody."""
    return directives(text).get("replicaof", "").partition(" ")[0]


def sentinel_file(
    static: str, state: str, name: str, *, members: Sequence[str], peers: Sequence[str], master: str
) -> str:
    """Settings as the role has them; what the sentinels found out, as far as it is about hosts that still belong."""
    kept = []
    for line in state.splitlines():
        match line.split():
            case ["sentinel", "monitor", found, address, *_] if found == name and address in members:
                master = master or address
            case ["sentinel", "myid" | "current-epoch", *_]:
                kept.append(line)
            case ["sentinel", "config-epoch" | "leader-epoch", found, *_] if found == name:
                kept.append(line)
            case ["sentinel", "known-replica" | "known-slave", found, address, *_] if (
                found == name and address in members
            ):
                kept.append(line)
            case ["sentinel", "known-sentinel", found, address, *_] if found == name and address in peers:
                kept.append(line)
    monitor = ("sentinel", "monitor", name)
    lines = [
        " ".join([*monitor, master, *line.split()[4:]]) if master and tuple(line.split()[:3]) == monitor else line
        for line in static.splitlines()
    ]
    return "\n".join([*lines, *kept]) + "\n"
