"""Before a daemon starts, and after Redis ended. Managed by Ansible (role redis)."""

from __future__ import annotations

import os
import shutil
import time

from redis_files import redis_file, sentinel_file
from redis_host import FILES, RESTORED, Host, landed, tell
from redis_verdict import decide, newest
from redis_wire import Trouble


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
