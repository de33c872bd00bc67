# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members: against the inventory, and what a replacement does or refuses."""

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._etcd.members import (
    Member,
    Replacement,
    differences,
    initial_cluster,
    members,
    replacement,
)


def one(name: str, learner: bool = False, started: bool = True) -> Member:
    return Member(name if started else "", f"id-{name}", (f"https://{name}:2380",), (), learner)


A, B, C = one("a"), one("b"), one("c")
URLS = {name: f"https://{name}:2380" for name in "abc"}


def test_members_of_an_answer_are_sorted_and_an_unstarted_one_has_no_name() -> None:
    found = members(
        {
            "members": [
                {"ID": "2", "name": "b", "peerURLs": ["https://b:2380"], "clientURLs": ["https://b:2379"]},
                {"ID": "1", "peerURLs": ["https://a:2380"], "isLearner": True},
            ]
        }
    )
    assert [(each.id, each.name, each.learner) for each in found] == [("1", "", True), ("2", "b", False)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([A, B, C], []),
        ([A, B], ["c (https://c:2380) is in the inventory and not in the cluster"]),
        ([A, B, C, one("d")], ["d (https://d:2380) is in the cluster and not in the inventory: nothing was removed"]),
        ([A, B, one("c", started=False)], []),
    ],
)
def test_differences(found: list[Member], expected: list[str]) -> None:
    problems = differences(found, URLS)
    assert len(problems) == len(expected)
    assert all(problem.startswith(start) for problem, start in zip(problems, expected, strict=True))
    assert all("etcd_replace_member.yml" in problem for problem in problems)


LEARNER, WAITING = one("c", learner=True), one("c", learner=True, started=False)


@pytest.mark.parametrize(
    ("found", "healthy", "instead_of", "expected"),
    [
        ([A, B, C], "ab", "", Replacement((C,), True)),
        # Removed by a run that was killed then.
        ([A, B], "ab", "", Replacement((), True)),
        # Added by it, and never started: its data may be half there, so it becomes another member.
        ([A, B, WAITING], "ab", "", Replacement((WAITING,), True)),
        # Started by it: only the vote is missing.
        ([A, B, LEARNER], "abc", "", Replacement((), False)),
        ([A, B, one("old")], "ab", "old", Replacement((one("old"),), True)),
    ],
)
def test_replacement(found: list[Member], healthy: str, instead_of: str, expected: Replacement) -> None:
    assert replacement(found, [f"id-{each}" for each in healthy], "c", URLS["c"], instead_of) == expected


@pytest.mark.parametrize(
    ("found", "healthy", "message"),
    [
        ([A, B, C], "abc", "c is healthy: there is nothing to replace"),
        ([A, B, C], "a", "lost its quorum: 1 of 3 members are healthy, 2 must agree"),
        ([A, B], "a", "lost its quorum: 1 of 2"),
    ],
)
def test_replacement_refused(found: list[Member], healthy: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replacement(found, [f"id-{each}" for each in healthy], "c", URLS["c"], "")


def test_initial_cluster_names_the_one_that_joins() -> None:
    assert initial_cluster([B, WAITING, A], "c", URLS["c"]) == "a=https://a:2380,b=https://b:2380,c=https://c:2380"
