# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Redis host's files become."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from program import imported

LIB = Path(__file__).resolve().parents[2] / "roles/redis/templates/tree/usr/local/lib/trading-platform"
imported(LIB / "redis_member.py")
files: Any = sys.modules["redis_files"]
A, B = "10.0.0.1", "10.0.0.2"


def test_what_redis_rewrote_is_dropped_but_who_it_follows() -> None:
    rewritten = f'include /x/redis.conf\nmaxmemory 1gb\nmasterauth "old"\nreplicaof {B} 6379\n'
    assert files.local_master(rewritten) == B
    assert files.directives(files.redis_file(Path("/x/redis.conf"), B, 6379)) == {
        "include": "/x/redis.conf",
        "replicaof": f"{B} 6379",
    }
    assert "replicaof" not in files.redis_file(Path("/x/redis.conf"), "", 6379)


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
    assert files.differing(wanted, running) == differing


def test_what_was_taken_up_is_not_pending_and_the_rest_is() -> None:
    wanted, running = 'maxmemory 2gb\ndatabases 32\nmasterauth "a\\"b"', "maxmemory 1gb\ndatabases 16"
    now = files.taken(running, wanted, ["maxmemory", "masterauth"])
    assert files.differing(wanted, now) == {"databases": "32"}


def test_users_change_one_by_one() -> None:
    running = "user a on #1 +@all\nuser b on #2 +ping\nuser old on #3\n"
    wanted = "# managed\nuser a on #1 +@all\nuser b on #9 +ping\nuser c off\n"
    assert files.acl_commands(wanted, running) == [
        ["ACL", "SETUSER", "b", "reset", "on", "#9", "+ping"],
        ["ACL", "SETUSER", "c", "reset", "off"],
        ["ACL", "DELUSER", "old"],
    ]
    assert files.acl_commands(wanted, wanted) == []


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
    made = files.sentinel_file(STATIC, STATE, "trading", members=[A, B], peers=[B], master="")
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
    assert files.sentinel_file(STATIC, made, "trading", members=[A, B], peers=[B], master="") == made


@pytest.mark.parametrize(("master", "monitored"), [("", A), (B, B)])
def test_a_new_sentinel_monitors_whom_the_others_name(master: str, monitored: str) -> None:
    made = files.sentinel_file(STATIC, "", "trading", members=[A, B], peers=[B], master=master)
    assert f"sentinel monitor trading {monitored} 6379 2" in made.splitlines()
