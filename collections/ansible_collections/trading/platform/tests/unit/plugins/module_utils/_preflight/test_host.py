# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._health.model import State, invalid
from ansible_collections.trading.platform.plugins.module_utils._health.model import message as health_message
from ansible_collections.trading.platform.plugins.module_utils._preflight import host

DEBIAN = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n# comment\n'
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n'


@pytest.mark.parametrize(
    ("text", "facts"),
    [(DEBIAN, ("Debian", "12", "12", "bookworm", "Debian")), (UBUNTU, ("Ubuntu", "24.04", "24", "noble", "Debian"))],
)
def test_os_facts(text: str, facts: tuple[str, ...]) -> None:
    assert tuple(host.os_facts(host.os_release(text)).values()) == facts


MOUNTS = """overlay / overlay rw 0 0
proc /proc proc rw 0 0
tmpfs /run tmpfs rw 0 0
/dev/vda /etc/hosts ext4 rw 0 0
/dev/sdb1 /var/lib/postgresql xfs rw 0 0
pool/logs /srv/logs zfs rw 0 0
nas:/backup /mnt/nas nfs4 rw 0 0
overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0
"""


def test_disks_are_those_that_answer_at_once() -> None:
    assert host.disk_mounts(MOUNTS) == ["/", "/etc/hosts", "/var/lib/postgresql", "/srv/logs"]


@pytest.mark.parametrize(
    ("text", "allowed", "ok"),
    [
        (DEBIAN, ["Debian 12"], True),
        (DEBIAN, ["Debian 13"], False),
        (DEBIAN, [], True),
        (UBUNTU, ["Ubuntu 24.04"], True),
    ],
)
def test_os(text: str, allowed: list[str], ok: bool) -> None:
    assert (not host.os_problem(host.os_facts(host.os_release(text)), allowed)) is ok


@pytest.mark.parametrize(("before", "now", "after", "offset"), [(10, 11, 12, 0), (10, 4, 12, -6), (10, 20, 12, 8)])
def test_clock(before: float, now: float, after: float, offset: float) -> None:
    assert host.clock_offset(before, now, after) == offset
    assert bool(host.clock_problem(offset, 5)) is (abs(offset) > 5)
    assert host.clock_problem(offset, None) == []


NET = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 111 1\n"
    "   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1\n"
    "   2: 0100007F:1538 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 333 1\n"
)


def test_sockets() -> None:
    assert host.sockets(NET, "tcp") == [(5432, "127.0.0.1", "111"), (22, "", "222")]


@pytest.mark.parametrize(
    ("kernel", "text"),
    [
        ("00000000", ""),
        ("0" * 32, ""),
        ("0B00007F", "127.0.0.11"),
        ("0000000000000000FFFF00000100007F", "127.0.0.1"),
        ("00000000000000000000000001000000", "0000:0000:0000:0000:0000:0000:0000:0001"),
    ],
)
def test_addresses(kernel: str, text: str) -> None:
    assert host.readable(kernel) == text


@pytest.mark.parametrize(
    ("process", "holders", "other"),
    [
        ("sshd", ["sshd (pid 1)"], False),
        ("sshd", ["systemd (pid 1)"], False),
        ("prometheus-node-exporter", ["prometheus-node (pid 9)"], False),
        ("postgres", ["python3 (pid 9)"], True),
        ("postgres", [], True),
        ("", ["python3 (pid 9)"], False),
    ],
)
def test_holders(process: str, holders: list[str], other: bool) -> None:
    assert host.held_by_other(process, holders) is other


def test_verdict_names_every_state_and_narrows_the_limit() -> None:
    states: dict[str, tuple[str, list[str]]] = {
        "lb1": ("unreachable", ["no route"]), "db1": ("ready", []), "db2": ("not ready", ["p1", "p2"]),
    }  # fmt: skip
    ready, lines = host.verdict(states)
    assert not ready
    text = host.message(states, lines, "db,lb1")
    assert "2 of 3 hosts not ready; nothing was changed" in text
    assert [part in text for part in ("lb1  unreachable  no route", "db1  ready", "p2")] == [True] * 3
    assert "--limit 'db,lb1,!lb1'" in text
    assert host.verdict({"a": ("ready", [])}) == (True, ["  a  ready"])


def test_a_long_reason_is_cut() -> None:
    assert host.reason("Task failed: a\n  b") == "a b"
    assert len(host.reason("x. " * 500)) < 320
    assert host.reason("") == "no reason was given"


def test_healthy_after_a_streak() -> None:
    state = State("web", successes=2)
    for error in (None, "refused", None):
        state.record(error)
    assert not state.healthy
    assert "it answered, but not 2 times in a row" in health_message([state], 3)
    state.record(None)
    assert state.healthy


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        ({"kind": "tcp", "port": 1}, 0),
        ({"kind": "tcp"}, 1),
        ({"kind": "http"}, 1),
        ({"kind": "unit", "unit": "u"}, 0),
        ({"kind": "command"}, 1),
    ],
)
def test_checks_must_be_complete(check: dict[str, object], wrong: int) -> None:
    assert len(invalid([{"name": "n", **check}])) == wrong
