"""As what Redis starts, by what sentinels and the disk say; nothing is read here. Managed by Ansible (role redis)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


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
