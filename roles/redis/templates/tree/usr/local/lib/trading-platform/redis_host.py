"""This host: its settings, its daemon's directory, and how it asks the sentinels. Managed by Ansible (role redis)."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from redis_files import local_master
from redis_verdict import Answer, Local
from redis_wire import Client, Trouble, flat

FILES = Path("/etc/trading-platform/redis")
# In the data directory: a dump that was brought back from S3, somewhere below.
RESTORED = "restored"


@dataclass(frozen=True)
class Host:
    """/etc/trading-platform/redis/member.json, and for root the administrator's login."""

    name: str
    address: str
    user: str
    state: Path
    pki: Path
    port: int
    sentinel_port: int
    members: list[str]
    sentinels: list[str]
    return_wait: int
    health: dict[str, str]
    admin: dict[str, str] = field(default_factory=dict)

    @property
    def majority(self) -> int:
        return len(self.sentinels) // 2 + 1

    def path(self, name: str) -> Path:
        return self.state / name

    def read(self, name: str) -> str:
        try:
            return self.path(name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def write(self, name: str, text: str) -> None:
        new = self.path(f"{name}.new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path(name))

    def redis(self, address: str = "", login: Mapping[str, str] | None = None) -> Client:
        return Client(self.pki, address or self.address, self.port, login or self.health)

    def sentinel(self, address: str, login: Mapping[str, str] | None = None) -> Client:
        return Client(self.pki, address, self.sentinel_port, login or self.health)

    def answer(self, address: str) -> Answer | None:
        try:
            with self.sentinel(address) as sentinel:
                reply = sentinel.call("SENTINEL", "MASTER", self.name)
                master = flat(reply) if isinstance(reply, list) else {}
                rows = sentinel.table("SENTINEL", "REPLICAS", self.name)
                sick = ("s_down", "o_down", "disconnected")
                return Answer(
                    master["ip"],
                    int(master["config-epoch"]),
                    tuple(row["ip"] for row in rows),
                    tuple(row["ip"] for row in rows if not any(word in row["flags"] for word in sick)),
                )
        except (OSError, Trouble, KeyError, ValueError):
            return None

    def answers(self) -> list[Answer]:
        with ThreadPoolExecutor(max_workers=max(1, len(self.sentinels))) as pool:
            return [one for one in pool.map(self.answer, self.sentinels) if one]

    def local(self) -> Local:
        own = self.read("redis.conf")
        data = any(self.state.glob("*.rdb")) or any(self.state.glob("*.aof")) or any(self.state.glob("appendonlydir/*"))
        return Local(bool(own), local_master(own), data, self.path("clean").exists())


def landed(name: str) -> str:
    """A file of the role's; no daemon writes it."""
    return (FILES / name).read_text(encoding="utf-8")


def load() -> Host:
    """As root: reads the administrator's login too, then becomes the daemon's user for good."""
    values = json.loads((FILES / "member.json").read_text(encoding="utf-8"))
    admin = {}
    if os.geteuid() == 0:
        admin = json.loads((FILES / "admin.json").read_text(encoding="utf-8"))
        account = pwd.getpwnam(values["user"])
        given(Path(values["state"]) / RESTORED, account)
        os.initgroups(values["user"], account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        os.umask(0o007)
    paths = {name: Path(values[name]) for name in ("state", "pki")}
    return Host(**{**values, **paths, "admin": admin})


def given(top: Path, account: pwd.struct_passwd) -> None:
    """Brought back under the numbers that the account had on another host."""
    for path in [top, *top.rglob("*")] if top.is_dir() else []:
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - to the journal, or to the person who asked
