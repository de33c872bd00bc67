# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._postgres.guard import (
    Directory,
    Member,
    Seen,
    Wanted,
    anchored,
    configuration,
    judge,
    mark,
    system,
)

HERE = "/var/lib/postgresql/15/trading"
WANTED = Wanted("trading", HERE, 15, ("db1", "db2"))
OURS = Directory(("PG_VERSION", "base"), "15", "77", "trading")
PEER = Member("db2", "trading", "77", 15, ("db1", "db2"))
BEFORE = ("trading", HERE, "15")


@pytest.mark.parametrize(
    "seen",
    [
        Seen(),
        Seen(Directory(("lost+found",))),
        Seen(members=(PEER,)),
        Seen(OURS, BEFORE, HERE, (PEER,)),
        Seen(OURS, BEFORE),
        # Cloned by hand from a member: no mark, but the same system.
        Seen(Directory(("PG_VERSION",), "15", "77"), members=(PEER,)),
        # Another cluster's member does not speak for ours, and a member that has no data yet says nothing.
        Seen(OURS, members=(Member("db2", "other", "88", 17, ("x",)),)),
        Seen(OURS, members=(Member("db2", "trading"),)),
        # The configuration of a host whose data somebody moved away.
        Seen(before=("old", "/srv/old", "")),
    ],
)
def test_accepted(seen: Seen) -> None:
    verdict = judge(WANTED, seen)
    assert (verdict.problems, verdict.warnings) == ([], [])


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (Seen(), False),
        (Seen(Directory(("lost+found",))), False),
        (Seen(OURS), True),
        (Seen(members=(PEER,)), True),
        # It waits for data itself, or speaks for another cluster.
        (Seen(members=(Member("db2", "trading"),)), False),
        (Seen(members=(Member("db2", "other", "88", 15),)), False),
    ],
)
def test_a_host_is_anchored_by_its_own_data_or_a_members(seen: Seen, expected: bool) -> None:
    assert anchored(WANTED, seen) is expected


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (Seen(Directory(("photos", "x"))), "is not empty and holds no PostgreSQL cluster (it has photos, x)"),
        (Seen(Directory(("PG_VERSION",), "15", "", "trading")), "holds no PostgreSQL cluster"),
        (Seen(Directory(("PG_VERSION",), "15", "88", "")), "holds data that Patroni never ran"),
        (Seen(Directory(("PG_VERSION",), "15", "88", "billing")), "holds data of the cluster billing, not of trading"),
        (Seen(Directory(("PG_VERSION",), "15", "88", "trading"), members=(PEER,)), "identifier 88) than the one"),
        (Seen(Directory(("PG_VERSION",), "13", "77", "trading")), "is of PostgreSQL 13. A run does not change"),
        (Seen(before=("trading", "/var/lib/postgresql/17/trading", "17")), "data in /var/lib/postgresql/17/trading"),
        (Seen(members=(Member("db2", "trading", "77", 17, ("db2",)),)), "the server on db2 is of PostgreSQL 17"),
        (Seen(before=("trading", "/srv/pg", "15")), "data lies in /srv/pg, and postgres_data_directory is"),
        (Seen(OURS, ("billing", HERE, "15")), "belongs to the cluster billing, and postgres_cluster is trading"),
        (Seen(running="/var/lib/postgresql/15/main"), "in /var/lib/postgresql/15/main listens on port 5432"),
    ],
)
def test_refused(seen: Seen, said: str) -> None:
    problems = judge(WANTED, seen).problems
    assert len(problems) == 1
    assert said in problems[0]


def test_upgrade_is_pointed_to() -> None:
    problems = judge(WANTED, Seen(Directory(("x",), "13", "7", ""))).problems
    assert "docs/operations.md, section Major upgrade" in problems[0]


def test_orphans_are_named_and_left() -> None:
    seen = Seen(OURS, BEFORE, HERE, (Member("db1", "trading", "77", 15, ("db1", "db2", "db3")),))
    verdict = judge(WANTED, seen)
    assert verdict.orphans == ["db3"]
    assert "still has db3" in verdict.warnings[0]
    assert "playbooks/retire_database.yml" in verdict.warnings[0]
    assert verdict.problems == []


def test_one_host_is_allowed_and_warned_of() -> None:
    verdict = judge(Wanted("trading", HERE, 15, ("db1",)), Seen())
    assert verdict.problems == []
    assert "db1 is the only database host" in verdict.warnings[0]


def test_configuration() -> None:
    text = "scope: trading\nname: db1\npostgresql:\n  listen: x\n  data_dir: /srv/pg  \n"
    assert configuration(text) == ("trading", "/srv/pg")
    assert configuration("") == ("", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# It will be overwritten by Patroni!\ncluster_name = 'trading'\n", "trading"),
        ("cluster_name = '15/main'\n", ""),
        ("# It will be overwritten by Patroni!\n", ""),
    ],
)
def test_mark(text: str, expected: str) -> None:
    assert mark(text) == expected


def test_system_identifier() -> None:
    assert system((7710575161356315413).to_bytes(8, "little") + b"rest") == "7710575161356315413"
    assert system(b"short") == ""
