"""Who is what, as the members say it themselves, and a planned change of master. Managed by Ansible (role redis)."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from redis_host import Host, tell
from redis_verdict import newest
from redis_wire import Trouble, wait_for

# Seconds that a replica has to catch up while writes are paused for a planned failover.
CATCH_UP = 5


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
