# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What etcd's users become: the calls, their order, the refusals."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._etcd.access import (
    Access,
    plan,
    prefix_range,
    ranges,
    wanted,
)

PATRONI = {"name": "patroni", "password": "p", "prefixes": ["/service/"]}
SERVICE = prefix_range("/service/")
EMPTY = Access(False, {}, {})
DONE = Access(True, {"root": frozenset({"root"}), "patroni": frozenset({"patroni"})}, {"patroni": frozenset({SERVICE})})


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("/service/", (b"/service/", b"/service0")),
        ("a", (b"a", b"b")),
        ("\x7f", (b"\x7f", b"\x80")),
        ("ü", ("ü".encode(), b"\xc3\xbd")),
    ],
)
def test_a_prefix_ends_at_the_first_key_without_it(prefix: str, found: tuple[bytes, bytes]) -> None:
    assert prefix_range(prefix) == found


def with_(**changes: Any) -> Access:
    return Access(**{**DONE.__dict__, **changes})


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (DONE, []),
        (
            EMPTY,
            [
                "user root: add",
                "user root: role root",
                "role patroni: add",
                "role patroni: may read and write /service/*",
                "user patroni: add",
                "user patroni: role patroni",
                "authentication: on",
            ],
        ),
        # A run that was killed before the last step.
        (with_(enabled=False), ["authentication: on"]),
        (
            with_(stale=frozenset({"root", "patroni"})),
            ["user root: another password", "user patroni: another password"],
        ),
        (
            with_(roles={"patroni": frozenset({prefix_range("/old/")})}),
            ["role patroni: may read and write /service/*", "role patroni: no more /old/*"],
        ),
        (with_(users={**DONE.users, "patroni": frozenset()}), ["user patroni: role patroni"]),
        (
            with_(users={**DONE.users, "patroni": frozenset({"patroni", "root"})}),
            ["user patroni: no more role root"],
        ),
        (
            with_(
                users={**DONE.users, "left": frozenset({"left"})},
                roles={**DONE.roles, "left": frozenset(), "stray": frozenset()},
            ),
            ["user left: remove", "role left: remove", "role stray: remove"],
        ),
    ],
)
def test_plan(now: Access, words: list[str]) -> None:
    assert [call.words for call in plan(now, wanted([PATRONI]), "r")] == words


def test_authentication_comes_last_and_no_password_is_shown() -> None:
    calls = plan(EMPTY, wanted([{**PATRONI, "password": "verysecret"}]), "rootsecret")
    assert calls[-1].path == "auth/enable"
    assert "secret" not in repr(calls)
    assert "secret" not in repr(wanted([{**PATRONI, "password": "verysecret"}]))


def test_only_read_and_write_counts_as_permission() -> None:
    answer = {
        "perm": [{"permType": "READWRITE", "key": "YQ==", "range_end": "Yg=="}, {"key": "Yw==", "range_end": "ZA=="}]
    }
    assert ranges(answer) == {(b"a", b"b")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "root"}, "root, which has its own password"),
        ({"password": ""}, "empty password"),
        ({"prefixes": []}, "at least one prefix"),
        ({"prefixes": [""]}, "every key"),
    ],
)
def test_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wanted([{**PATRONI, **changes}])


def test_a_user_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="listed twice"):
        wanted([PATRONI, PATRONI])
