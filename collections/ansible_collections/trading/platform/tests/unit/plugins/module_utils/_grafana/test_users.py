# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of a Grafana: from what is to what is wanted."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._grafana.users import (
    Call,
    Found,
    User,
    found,
    plan,
    wanted,
)

ADMIN = Found(1, "platform-admin", "platform-admin", "admin@localhost", "Admin", admin=True)
EVA = User("eva", "secret-of-eva", "Editor", "Eva", "eva@trading.test")
HAS_EVA = Found(2, "eva", "Eva", "eva@trading.test", "Editor")


def planned(now: list[Found], users: list[User], stale: list[str] | None = None, exclusive: bool = True) -> list[Call]:
    return plan([ADMIN, *now], users, stale or [], "platform-admin", exclusive)


@pytest.mark.parametrize(
    ("now", "users", "stale", "words"),
    [
        ([], [], [], []),
        ([HAS_EVA], [EVA], [], []),
        ([], [EVA], [], ["user eva: add", "user eva: Editor"]),
        ([HAS_EVA], [EVA], ["eva"], ["user eva: another password"]),
        ([Found(2, "Eva", "Eva", "eva@trading.test", "Viewer")], [EVA], [], ["user eva: Editor"]),
        ([Found(2, "eva", "", "", "Editor")], [EVA], [], ["user eva: name Eva, address eva@trading.test"]),
        ([HAS_EVA], [], [], ["user eva: remove"]),
        (
            [Found(2, "eva", "Eva", "eva@trading.test", "Editor", admin=True, disabled=True)],
            [EVA],
            [],
            ["user eva: no server administrator", "user eva: enable"],
        ),
        ([Found(3, "from-ldap", role="Admin", local=False)], [], [], []),
    ],
)
def test_the_steps(now: list[Found], users: list[User], stale: list[str], words: list[str]) -> None:
    assert [call.words for call in planned(now, users, stale)] == words


def test_nobody_is_removed_where_the_list_is_not_all() -> None:
    assert planned([HAS_EVA], [], exclusive=False) == []


def test_the_calls_of_a_new_user() -> None:
    add, role = planned([], [User("tom", "secret-of-tom")])
    assert (add.verb, add.path) == ("POST", "/api/admin/users")
    assert add.body == {"login": "tom", "name": "tom", "email": "tom", "password": "secret-of-tom", "OrgId": 1}
    assert (role.verb, role.path, role.body) == ("PATCH", "/api/org/users/{tom}", {"role": "Viewer"})


def test_the_calls_of_a_known_one() -> None:
    now = [Found(7, "eva", "E.", "", "Viewer")]
    assert [(call.verb, call.path) for call in planned(now, [EVA], ["eva"])] == [
        ("PUT", "/api/users/7"),
        ("PATCH", "/api/org/users/7"),
        ("PUT", "/api/admin/users/7/password"),
    ]


def test_a_password_is_never_shown() -> None:
    assert "secret" not in repr(EVA)
    assert "secret" not in repr(planned([], [EVA]))


def test_a_user_of_a_directory_is_not_ours() -> None:
    with pytest.raises(ValueError, match="comes from a directory"):
        planned([Found(2, "eva", local=False)], [EVA])


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ([{"login": "", "password": "p"}], "empty or the administrator's"),
        ([{"login": "Platform-Admin", "password": "p"}], "empty or the administrator's"),
        ([{"login": "eva", "password": "p"}, {"login": "Eva", "password": "p"}], "listed twice"),
        ([{"login": "eva", "password": ""}], "has no password"),
        ([{"login": "eva", "password": "p", "role": "Owner"}], "has the role 'Owner'"),
    ],
)
def test_a_contradiction_is_refused(users: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wanted(users, "platform-admin")


def test_what_grafana_answers() -> None:
    users = [
        {"id": 1, "login": "platform-admin", "name": "", "email": "admin@localhost", "isAdmin": True, "authLabels": []},
        {"id": 2, "login": "eva", "name": "Eva", "email": "e@x", "isDisabled": True, "authLabels": ["LDAP"]},
    ]
    assert found(users, [{"userId": 2, "role": "Editor"}]) == [
        Found(1, "platform-admin", "", "admin@localhost", "", admin=True),
        Found(2, "eva", "Eva", "e@x", "Editor", local=False, disabled=True),
    ]
