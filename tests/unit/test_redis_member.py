# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a Redis host is when it starts, and what its files become."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from program import imported

PROGRAM = (
    Path(__file__).resolve().parents[2] / "roles/redis/templates/tree/usr/local/lib/trading-platform/redis_member.py"
)


member: Any = imported(PROGRAM)
A, B = "10.0.0.1", "10.0.0.2"


def says(master: str, epoch: int = 1, replicas: tuple[str, ...] = (A, B), healthy: tuple[str, ...] = (A, B)) -> Any:
    others = tuple(one for one in replicas if one != master)
    return member.Answer(master, epoch, others, tuple(one for one in healthy if one in others))


NEW = {"exists": False}
MASTER = {"exists": True, "data": True, "clean": True}
CRASHED = {"exists": True, "data": True, "clean": False}
REPLICA = {"exists": True, "data": True, "replicaof": B}
FOREIGN = {"exists": False, "data": True}


@pytest.mark.parametrize(
    ("answers", "local", "patient", "act", "master"),
    [
        # The first start of the set.
        ([], NEW, True, "start", ""),
        # A new host beside a set that runs.
        ([says(B)] * 3, NEW, True, "start", B),
        # A returning old master, however its own file sees it.
        ([says(B)] * 2, MASTER, True, "start", B),
        ([says(B)] * 2, CRASHED, True, "start", B),
        # Sentinels that have not heard of the failover yet do not outvote those that have.
        ([says(A, 1), says(A, 1), says(B, 2)], CRASHED, True, "start", B),
        # A clean restart of the master, and one after a crash: the replica first.
        ([says(A)] * 3, MASTER, True, "start", ""),
        ([says(A)] * 3, CRASHED, True, "wait", ""),
        ([says(A)] * 3, CRASHED, False, "start", ""),
        # It came back with an empty disk before the sentinels moved: it must not wipe its replica.
        ([says(A)] * 3, NEW, True, "wait", ""),
        # Sentinels were there before the master's first start, and know no replica.
        ([says(A, replicas=(A,))] * 3, NEW, True, "start", ""),
        # There is nobody who could take over.
        ([says(A, healthy=())] * 3, CRASHED, True, "start", ""),
        # No majority: wait, then the local file.
        ([], MASTER, True, "wait", ""),
        ([], MASTER, False, "start", ""),
        ([], REPLICA, False, "start", B),
        ([says(A)], CRASHED, True, "wait", ""),
        ([says(A)], CRASHED, False, "start", ""),
        # A single sentinel that names another one is believed: it cannot have made that up.
        ([says(B)], CRASHED, False, "start", B),
        # Data of somebody else.
        ([says(B, replicas=(B,))] * 3, FOREIGN, True, "refuse", ""),
        ([], FOREIGN, True, "refuse", ""),
        # The disk's own file was lost, but the sentinels know this host.
        ([says(B)] * 3, FOREIGN, True, "start", B),
    ],
)
def test_decide(answers: list[Any], local: dict[str, Any], patient: bool, act: str, master: str) -> None:
    verdict = member.decide(A, A, 2, answers, member.Local(**local), patient=patient)
    assert (verdict.act, verdict.master) == (act, master), verdict


def test_the_first_member_is_master_only_for_the_others_first_start() -> None:
    verdict = member.decide(B, A, 2, [], member.Local(False), patient=True)
    assert (verdict.act, verdict.master) == ("start", A)


def test_what_redis_rewrote_is_dropped_but_who_it_follows() -> None:
    rewritten = f'include /x/redis.conf\nmaxmemory 1gb\nmasterauth "old"\nreplicaof {B} 6379\n'
    assert member.local_master(rewritten) == B
    assert member.directives(member.redis_file(Path("/x/redis.conf"), B, 6379)) == {
        "include": "/x/redis.conf",
        "replicaof": f"{B} 6379",
    }
    assert "replicaof" not in member.redis_file(Path("/x/redis.conf"), "", 6379)


@pytest.mark.parametrize(
    ("wanted", "running", "differing"),
    [
        ("maxmemory 1gb", "maxmemory 1gb", {}),
        ("maxmemory 2gb\n# a comment\n", 'maxmemory "1gb"', {"maxmemory": "2gb"}),
        ('save ""', "save 60 1", {"save": ""}),
        ("a 1", "a 1\nb 2", {"b": None}),
        ("client-output-buffer-limit replica 1 2 3", "", {"client-output-buffer-limit": "replica 1 2 3"}),
        ('masterauth "a\\"b"', 'masterauth "c"', {"masterauth": 'a"b'}),
    ],
)
def test_differing(wanted: str, running: str, differing: dict[str, str | None]) -> None:
    assert member.differing(wanted, running) == differing


def test_what_was_taken_up_is_not_pending_and_the_rest_is() -> None:
    wanted, running = 'maxmemory 2gb\ndatabases 32\nmasterauth "a\\"b"', "maxmemory 1gb\ndatabases 16"
    now = member.taken(running, wanted, ["maxmemory", "masterauth"])
    assert member.differing(wanted, now) == {"databases": "32"}


def test_users_change_one_by_one() -> None:
    running = "user a on #1 +@all\nuser b on #2 +ping\nuser old on #3\n"
    wanted = "# managed\nuser a on #1 +@all\nuser b on #9 +ping\nuser c off\n"
    assert member.acl_commands(wanted, running) == [
        ["ACL", "SETUSER", "b", "reset", "on", "#9", "+ping"],
        ["ACL", "SETUSER", "c", "reset", "off"],
        ["ACL", "DELUSER", "old"],
    ]
    assert member.acl_commands(wanted, wanted) == []


STATIC = f"tls-port 26379\nsentinel monitor trading {A} 6379 2\nsentinel down-after-milliseconds trading 5000\n"
STATE = f"""tls-port 1
sentinel monitor trading {B} 6379 2
sentinel down-after-milliseconds trading 999
sentinel config-epoch trading 7
sentinel leader-epoch trading 7
sentinel known-replica trading {A} 6379
sentinel known-replica trading 10.9.9.9 6379
sentinel known-sentinel trading {B} 26379 abc
sentinel known-sentinel trading 10.9.9.9 26379 def
sentinel known-replica another {A} 6379
sentinel myid 1234
sentinel current-epoch 7
"""


def test_a_sentinel_keeps_what_it_found_out_and_takes_the_roles_settings() -> None:
    made = member.sentinel_file(STATIC, STATE, "trading", members=[A, B], peers=[B], master="")
    assert made.splitlines() == [
        "tls-port 26379",
        f"sentinel monitor trading {B} 6379 2",
        "sentinel down-after-milliseconds trading 5000",
        "sentinel config-epoch trading 7",
        "sentinel leader-epoch trading 7",
        f"sentinel known-replica trading {A} 6379",
        f"sentinel known-sentinel trading {B} 26379 abc",
        "sentinel myid 1234",
        "sentinel current-epoch 7",
    ]
    assert member.sentinel_file(STATIC, made, "trading", members=[A, B], peers=[B], master="") == made


@pytest.mark.parametrize(("master", "monitored"), [("", A), (B, B)])
def test_a_new_sentinel_monitors_whom_the_others_name(master: str, monitored: str) -> None:
    made = member.sentinel_file(STATIC, "", "trading", members=[A, B], peers=[B], master=master)
    assert f"sentinel monitor trading {monitored} 6379 2" in made.splitlines()


class Told:
    """A set whose members answer with what is given; an offset of None is a member that does not answer."""

    members, sentinels, majority = (A, B), ("s",), 1

    def __init__(self, replica: int | None) -> None:
        self.replica = replica

    def answers(self) -> list[Any]:
        return [says(A)]

    @contextlib.contextmanager
    def redis(self, address: str) -> Iterator[Any]:
        if address == B and self.replica is None:
            raise OSError("no route to host")
        heard = f"ip={B},port=6379,state=online,offset=100,lag=1"
        master = {"role": "master", "master_repl_offset": "5000000", "slave0": heard}
        found = master if address == A else {"slave_repl_offset": str(self.replica)}
        yield SimpleNamespace(info=lambda _: found)


@pytest.mark.parametrize(("replica", "behind"), [(4999000, 1000), (5000100, 0), (None, None)])
def test_a_replica_is_as_far_as_it_says_itself(replica: int | None, behind: int | None) -> None:
    """The master heard of offset 100 a second ago: under many writes that is megabytes."""
    assert member.look(Told(replica)).behind == {B: behind}


@pytest.mark.parametrize(
    ("is_master", "has_file", "comes_back"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_dump_that_was_brought_back_is_where_an_empty_master_starts(
    tmp_path: Path, is_master: bool, has_file: bool, comes_back: bool
) -> None:
    dump = tmp_path / "restored/var/lib/redis/dump.rdb"
    dump.parent.mkdir(parents=True)
    dump.write_bytes(b"REDIS0010")
    base = tmp_path / "appendonlydir/appendonly.aof.1.base.rdb"
    if has_file:
        base.parent.mkdir()
    member.bring_back(SimpleNamespace(path=lambda name: tmp_path / name), is_master=is_master)
    assert base.exists() is comes_back
    if comes_back:
        assert base.read_bytes() == b"REDIS0010"
        assert base.with_name("appendonly.aof.manifest").read_text() == "file appendonly.aof.1.base.rdb seq 1 type b\n"
    # Used or not, it is not taken a second time.
    assert not (tmp_path / "restored").exists()
