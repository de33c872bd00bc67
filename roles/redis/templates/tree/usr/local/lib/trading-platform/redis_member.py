#!/usr/bin/python3 -I
"""What a Redis or sentinel host does for itself. Managed by Ansible (role redis); standard library only.

prepare-redis      before Redis starts: asks the sentinels who is master and writes the daemon's own file to fit
prepare-sentinel   before a sentinel starts: what the role says, and what the sentinels found out since
stopped            after Redis ended: notes a clean end
apply              a changed configuration, as far as a running Redis can take it up; the rest is pending
pending            settings that wait for a restart, one a line
reload-tls         a renewed certificate, without a restart
check-redis        exit code 0 where this host's Redis is well
check-sentinel     exit code 0 where this host's sentinel is well and has its quorum
save               a fresh dump.rdb, for a backup
info               who is master, who follows, and how far behind
failover           a planned change of master; see --help
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pwd
import shlex
import shutil
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

FILES = Path("/etc/trading-platform/redis")
# In the data directory: a dump that was brought back from S3, somewhere below.
RESTORED = "restored"
# Seconds that a replica has to catch up while writes are paused for a planned failover.
CATCH_UP = 5
# Seconds that Redis has to begin a dump, and to end it.
SAVE = 300
Reply = Union[str, int, None, list["Reply"]]  # noqa: UP007 - a string inside `|` is no type


class Trouble(Exception):  # noqa: N818 - it is one, and reads as one
    """What a person has to read, with what to do next."""


# ----- pure: who is master


@dataclass(frozen=True)
class Answer:
    """What one sentinel says."""

    master: str
    epoch: int
    replicas: tuple[str, ...] = ()
    healthy: tuple[str, ...] = ()


@dataclass(frozen=True)
class Local:
    """What this host's disk says. replicaof is empty for a master."""

    exists: bool
    replicaof: str = ""
    data: bool = False
    clean: bool = False


@dataclass(frozen=True)
class Verdict:
    """act is start, wait or refuse; master is empty where this host is it."""

    act: str
    master: str = ""
    why: str = ""


def newest(answers: Iterable[Answer]) -> Answer | None:
    """The latest configuration wins, as it does among sentinels; between equals the one that most of them name."""
    known = list(answers)
    named = [answer.master for answer in known]
    return max(known, key=lambda one: (one.epoch, named.count(one.master)), default=None)


def decide(me: str, first: str, majority: int, answers: Sequence[Answer], local: Local, *, patient: bool) -> Verdict:
    """How Redis starts. While patient, waiting is a choice; afterwards it is not."""
    latest = newest(answers)
    known = {address for one in answers for address in (one.master, *one.replicas)}
    if local.data and not local.exists and me not in known:
        return Verdict("refuse", why="foreign data")
    if latest is None and not local.exists:
        return Verdict("start", "" if me == first else first, "no sentinel answers: the first start of the set")
    if len(answers) < majority and patient:
        return Verdict("wait", why=f"{len(answers)} sentinels answer, {majority} are needed")
    if latest is None or (len(answers) < majority and latest.master == me and local.exists):
        return Verdict("start", local.replicaof, "no majority of sentinels: what the local file says")
    # Without a local file it lost its disk too: an empty master would wipe its replica.
    if latest.master == me and patient and not local.clean and set(latest.healthy) - {me}:
        return Verdict("wait", why="this master did not end cleanly: its replica shall take over")
    return Verdict("start", "" if latest.master == me else latest.master, "what the sentinels say")


# ----- pure: files


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


# ----- the wire


class Client:
    """One connection, by TLS, logged in."""

    def __init__(self, host: Host, address: str, port: int, login: Mapping[str, str], timeout: float = 2.0) -> None:
        context = ssl.create_default_context(cafile=host.pki / "ca.pem")
        with contextlib.suppress(OSError):
            context.load_cert_chain(host.pki / "fullchain.pem", host.pki / "key.pem")
        raw = socket.create_connection((address, port), timeout=timeout)
        try:
            self._socket = context.wrap_socket(raw, server_hostname=address)
        except BaseException:
            raw.close()
            raise
        self._file = self._socket.makefile("rb")
        self.call("AUTH", login["user"], login["password"])

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def call(self, *words: str) -> Reply:
        parts = [word.encode() for word in words]
        self._socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in parts))
        return self._read()

    def _read(self) -> Reply:
        line = self._file.readline().rstrip(b"\r\n").decode()
        if not line:
            raise ConnectionResetError("the connection was closed")
        kind, text = line[0], line[1:]
        if kind == "-":
            raise Trouble(text)
        if kind == "+":
            return text
        if kind == ":":
            return int(text)
        if int(text) < 0:
            return None
        if kind == "$":
            return self._file.read(int(text) + 2)[:-2].decode(errors="replace")
        return [self._read() for _ in range(int(text))]

    def info(self, section: str) -> dict[str, str]:
        lines = str(self.call("INFO", section)).splitlines()
        return {name: value for name, _, value in (line.partition(":") for line in lines if ":" in line)}

    def table(self, *words: str) -> list[dict[str, str]]:
        """A sentinel's list of flat maps."""
        reply = self.call(*words)
        rows = reply if isinstance(reply, list) else []
        return [flat(row) for row in rows if isinstance(row, list)]


def flat(row: list[Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in zip(row[::2], row[1::2], strict=False)}


# ----- this host


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
        return Client(self, address or self.address, self.port, login or self.health)

    def sentinel(self, address: str, login: Mapping[str, str] | None = None) -> Client:
        return Client(self, address, self.sentinel_port, login or self.health)

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


# ----- commands


def prepare_redis(host: Host) -> None:
    """Decides who this host is before it serves anybody."""
    until = time.monotonic() + host.return_wait
    said = ""
    while True:
        verdict = decide(
            host.address,
            host.members[0],
            host.majority,
            host.answers(),
            host.local(),
            patient=time.monotonic() < until,
        )
        if verdict.why != said:
            said = verdict.why
            tell(f"{verdict.act} as {'replica of ' + verdict.master if verdict.master else 'master'}: {said}")
        if verdict.act != "wait":
            break
        time.sleep(0.5)
    if verdict.act == "refuse":
        raise Trouble(
            f"{host.state} holds data that no sentinel of the set {host.name} knows, and joining would wipe it. "
            "Nothing was started. Move the data away (or find out whose it is), then start the service again."
        )
    bring_back(host, is_master=not verdict.master)
    host.write("redis.conf", redis_file(FILES / "redis.conf", verdict.master, host.port))
    host.write("running.conf", landed("redis.conf"))
    host.write("running.acl", landed("users.acl"))
    host.path("clean").unlink(missing_ok=True)


def bring_back(host: Host, *, is_master: bool) -> None:
    """A dump becomes the base of the append-only file: Redis reads nothing else, and would start empty."""
    dump = next(host.path(RESTORED).rglob("dump.rdb"), None)
    place, new = host.path("appendonlydir"), host.path("appendonlydir.new")
    if dump and is_master and not place.exists():
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(0o750)
        shutil.copyfile(dump, new / "appendonly.aof.1.base.rdb")
        (new / "appendonly.aof.manifest").write_text("file appendonly.aof.1.base.rdb seq 1 type b\n", encoding="utf-8")
        new.replace(place)
        tell(f"starts with what was brought back: {dump}")
    # A replica copies from the master.
    shutil.rmtree(host.path(RESTORED), ignore_errors=True)


def prepare_sentinel(host: Host) -> None:
    static = landed("sentinel.conf")
    state = host.read("sentinel.conf")
    latest = None if state else newest(host.answers())
    master = latest.master if latest and latest.master in host.members else ""
    peers = [one for one in host.sentinels if one != host.address]
    host.write(
        "sentinel.conf", sentinel_file(static, state, host.name, members=host.members, peers=peers, master=master)
    )


def stopped(host: Host) -> None:
    """The marker is what lets a master come back in its place: all that it acknowledged is on its disk."""
    ended = [os.environ.get(name, "") for name in ("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS")]
    # The latter two are about the server itself: a start that was given up says success, too.
    if ended == ["success", "exited", "0"]:
        host.write("clean", "")


def apply(host: Host) -> None:
    running = host.read("running.conf")
    if not running:
        return
    wanted, users = landed("redis.conf"), landed("users.acl")
    try:
        client = host.redis(login=host.admin)
    except ConnectionRefusedError:
        return  # Not running: it starts with the new files.
    done = []
    with client:
        for words in acl_commands(users, host.read("running.acl")):
            client.call(*words)
        host.write("running.acl", users)
        for name, value in differing(wanted, running).items():
            # What cannot be set in a running server stays pending.
            with contextlib.suppress(Trouble):
                if value is not None:
                    client.call("CONFIG", "SET", name, value)
                    done.append(name)
    if done:
        host.write("running.conf", taken(running, wanted, done))


def pending(host: Host) -> None:
    """Nothing where Redis does not run here: it will start with the files as they are."""
    running = host.read("running.conf")
    if running:
        for name in sorted(differing(landed("redis.conf"), running)):
            tell(name)


def reload_tls(host: Host) -> None:
    settings = directives(landed("redis.conf"))
    words = [word for name in ("tls-cert-file", "tls-key-file", "tls-ca-cert-file") for word in (name, settings[name])]
    try:
        client = host.redis(login=host.admin)
    except ConnectionRefusedError:
        return
    with client:
        client.call("CONFIG", "SET", *words)


def save(host: Host) -> None:
    """Of this member, master or not. The append-only file cannot be copied while it is written."""
    with host.redis(login=host.admin) as client:
        # Refused while Redis writes another file: asked again.
        wait_for(lambda: bool(client.call("BGSAVE")), SAVE, "Redis began no dump")
        wait_for(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == "0", SAVE, "Redis ended no dump")
        if client.info("persistence")["rdb_last_bgsave_status"] != "ok":
            raise Trouble("Redis could not write its dump: look at its journal, and whether the disk has room")


def check_redis(host: Host) -> None:
    with host.redis() as client:
        state, memory = client.info("replication"), client.info("persistence")
    if memory.get("loading") != "0":
        raise Trouble("Redis still loads its data")
    if memory.get("aof_last_write_status", "ok") != "ok":
        raise Trouble("Redis could not write its append-only file: look at the disk")
    if state["role"] != "master" and state.get("master_link_status") != "up":
        raise Trouble(f"replica of {state.get('master_host')}, but the link is {state.get('master_link_status')}")


def check_sentinel(host: Host) -> None:
    with host.sentinel(host.address) as client:
        client.call("SENTINEL", "CKQUORUM", host.name)
        reply = client.call("SENTINEL", "MASTER", host.name)
    flags = flat(reply)["flags"] if isinstance(reply, list) else "unknown"
    if flags != "master":
        raise Trouble(f"the sentinel calls the master {flags}")


@dataclass(frozen=True)
class Members:
    """Who is what, as the members themselves say."""

    master: str
    offset: int
    behind: dict[str, int | None]


def look(host: Host) -> Members:
    answers = host.answers()
    latest = newest(answers)
    if latest is None or len(answers) < host.majority:
        raise Trouble(f"{len(answers)} of {len(host.sentinels)} sentinels answer, {host.majority} are needed.")
    with host.redis(latest.master) as client:
        state = client.info("replication")
    if state["role"] != "master":
        raise Trouble(f"The sentinels call {latest.master} master, but it says that it is {state['role']}.")
    offset = int(state["master_repl_offset"])
    behind: dict[str, int | None] = {one: None for one in host.members if one != latest.master}
    for name, value in state.items():
        if name.startswith("slave") and name[5:].isdigit():
            row = dict(part.split("=", 1) for part in value.split(","))
            if row["state"] == "online":
                # By its own word: the master hears of it once a second only. One that does not answer is not connected.
                with contextlib.suppress(OSError, Trouble):
                    behind[row["ip"]] = max(0, offset - followed(host, row["ip"]))
    return Members(latest.master, offset, behind)


def info(host: Host) -> None:
    found = look(host)
    tell(f"master   {found.master}")
    for address, lag in found.behind.items():
        tell(f"replica  {address}  {'not connected' if lag is None else f'{lag} bytes behind'}")
    tell(f"sentinels answering  {len(host.answers())} of {len(host.sentinels)}")


def failover(host: Host, to: str, lag_max: int, timeout: int, check: bool) -> None:
    """Clients wait while the replica catches up, so that nothing acknowledged is lost."""
    found = look(host)
    ready = [address for address, lag in found.behind.items() if lag is not None and lag <= lag_max]
    tell(
        f"found: master {found.master}, replicas "
        + (", ".join(f"{a} ({b} bytes behind)" for a, b in found.behind.items()) or "none")
    )
    if to == found.master:
        tell("nothing to do: it is master already")
        return
    if not ready or (to and to not in ready):
        raise Trouble(
            f"No replica is connected and at most {lag_max} bytes behind. Nothing was changed: repair it first."
        )
    if to and len(ready) > 1:
        raise Trouble(
            "Sentinel chooses among several replicas by itself. Leave out --to, or raise the others' replica-priority."
        )
    asked = next(one for one in host.sentinels if host.answer(one))
    with host.sentinel(asked, host.admin) as sentinel:
        sentinel.call("SENTINEL", "CKQUORUM", host.name)
        tell(f"plan: pause writes, wait until {ready[0]} has all, have the sentinels promote it, within {timeout} s")
        if check:
            return
        began = time.monotonic()
        with host.redis(found.master, host.admin) as master:
            # Longer than all that is waited for below: a write let on in between would be lost with the promotion.
            master.call("CLIENT", "PAUSE", str((CATCH_UP + timeout + 5) * 1000), "WRITE")
            try:
                target = int(master.info("replication")["master_repl_offset"])
                wait_for(lambda: followed(host, ready[0]) >= target, CATCH_UP, f"{ready[0]} did not catch up")
                sentinel.call("SENTINEL", "FAILOVER", host.name)
                wait_for(lambda: role(host, ready[0]) == "master", timeout, f"{ready[0]} was not promoted")
                # The sentinels would leave the old master in office for 8 s more; what it took in would be lost.
                master.call("REPLICAOF", ready[0], str(host.port))
                tell(f"measured: writes possible again after {time.monotonic() - began:.2f} s")
                for kind in ("normal", "pubsub"):
                    master.call("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            finally:
                with contextlib.suppress(OSError, Trouble):
                    master.call("CLIENT", "UNPAUSE")
    wait_for(lambda: settled(host, ready[0]), timeout, f"{found.master} did not come back as a replica")
    tell(f"measured: {found.master} follows {ready[0]} after {time.monotonic() - began:.2f} s")


def followed(host: Host, address: str) -> int:
    """How far a replica has come."""
    with host.redis(address) as client:
        return int(client.info("replication")["slave_repl_offset"])


def role(host: Host, address: str) -> str:
    with host.redis(address) as client:
        return client.info("replication")["role"]


def settled(host: Host, master: str) -> bool:
    found = look(host)
    return found.master == master and None not in found.behind.values()


def wait_for(question: Callable[[], bool], timeout: float, otherwise: str) -> None:
    until = time.monotonic() + timeout
    last: Exception | None = None
    while time.monotonic() < until:
        try:
            if question():
                return
        except (OSError, Trouble, KeyError) as problem:
            last = problem
        time.sleep(0.05)
    raise Trouble(
        f"{otherwise} within {timeout} s" + (f": {last}" if last else "") + ". Look at `redis_member.py info`."
    )


def tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - to the journal, or to the person who asked


COMMANDS: dict[str, Callable[[Host], None]] = {
    "prepare-redis": prepare_redis,
    "prepare-sentinel": prepare_sentinel,
    "stopped": stopped,
    "apply": apply,
    "pending": pending,
    "reload-tls": reload_tls,
    "save": save,
    "check-redis": check_redis,
    "check-sentinel": check_sentinel,
    "info": info,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=[*COMMANDS, "failover"], metavar="COMMAND")
    parser.add_argument("--to", default="", help="failover: address of the replica that shall be master")
    parser.add_argument("--lag-max", type=int, default=1048576, help="failover: bytes that the replica may be behind")
    parser.add_argument("--timeout", type=int, default=30, help="failover: seconds for each step")
    parser.add_argument("--check", action="store_true", help="failover: only look and say what would be done")
    args = parser.parse_args()
    try:
        try:
            host = load()
        except KeyError:
            # Files land before packages: what is to be applied then is what the daemon starts with.
            if args.command in ("apply", "pending"):
                return 0
            raise Trouble("the daemon's user does not exist: the packages are not installed yet") from None
        if args.command == "failover":
            failover(host, args.to, args.lag_max, args.timeout, args.check)
        else:
            COMMANDS[args.command](host)
    except (Trouble, OSError) as problem:
        print(f"{args.command}: {problem}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
