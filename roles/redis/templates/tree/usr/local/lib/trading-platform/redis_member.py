#!/usr/bin/python3 -IB
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
import sys
from collections.abc import Callable
from pathlib import Path

# Isolated (-I), Python does not look beside the program; the modules there find each other by this, too. And without
# -B it would leave what it compiled there, as root, where nobody takes it away.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from redis_failover import failover, look
from redis_files import acl_commands, differing, directives, taken
from redis_host import Host, landed, load, tell
from redis_start import prepare_redis, prepare_sentinel, stopped
from redis_wire import Trouble, flat, wait_for

# Seconds that Redis has to begin a dump, and to end it.
SAVE = 300


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


def info(host: Host) -> None:
    found = look(host)
    tell(f"master   {found.master}")
    for address, lag in found.behind.items():
        tell(f"replica  {address}  {'not connected' if lag is None else f'{lag} bytes behind'}")
    tell(f"sentinels answering  {len(host.answers())} of {len(host.sentinels)}")


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
