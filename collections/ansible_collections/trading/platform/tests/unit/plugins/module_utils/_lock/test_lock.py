# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock against an etcd of a few lines: who gets it, who keeps it, and what is told to whom."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._lock.client import CHANGE, FREEZE, LAST, Locks
from ansible_collections.trading.platform.plugins.module_utils._lock.records import HeldError, Holder, LockError
from ansible_collections.trading.platform.plugins.module_utils._lock.states import STATES, Asked

NOW = 1_000_000_000.0
ANNA = Holder("anna", "laptop", "deploy.yml", 4711, "boot pid/4711/99", NOW, "release 1.4.2", "inventories/prod")
BERT = Holder("bert", "desk", "rollback.yml", 12, "other pid/12/7", NOW + 60, "", "inventories/prod")


def plain(text: str) -> str:
    return base64.b64decode(text).decode()


class Fake:
    """Keys with revisions, transactions and leases, as the JSON gateway has them."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[str, int, str]] = {}
        self.leases: dict[str, int] = {}
        self.revision = 1
        # Called once before the next transaction that writes: somebody else comes between.
        self.between: Callable[[], None] = lambda: None

    def call(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        given = dict(body or {})
        answer: dict[str, Any] = getattr(self, path.replace("/", "_"))(given)
        return answer

    def lease_grant(self, given: dict[str, Any]) -> dict[str, Any]:
        name = str(7000 + self.revision + len(self.leases))
        self.leases[name] = int(given["TTL"])
        return {"ID": name, "TTL": given["TTL"]}

    def lease_keepalive(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"result": {"TTL": str(self.leases.get(given["ID"], 0))}}

    def lease_timetolive(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"TTL": str(self.leases.get(given["ID"], -1))}

    def lease_revoke(self, given: dict[str, Any]) -> dict[str, Any]:
        self.lapse(given["ID"])
        return {}

    def lapse(self, lease: str) -> None:
        self.leases.pop(lease, None)
        self.keys = {key: found for key, found in self.keys.items() if found[2] != lease}

    def kv_txn(self, given: dict[str, Any]) -> dict[str, Any]:
        if "compare" in given:
            between, self.between = self.between, lambda: None
            between()
        for one in given.get("compare", []):
            if self.keys.get(plain(one["key"]), ("", 0, ""))[1] != int(one["modRevision"]):
                return {}
        self.revision += 1
        return {"succeeded": True, "responses": [self._do(one) for one in given["success"]]}

    def _do(self, operation: dict[str, Any]) -> dict[str, Any]:
        ((kind, given),) = operation.items()
        key = plain(given["key"])
        if kind == "requestRange":
            found = self.keys.get(key)
            text = base64.b64encode(found[0].encode()).decode() if found else ""
            kvs = [{"value": text, "mod_revision": str(found[1]), "lease": found[2]}] if found else []
            return {"response_range": {"kvs": kvs}}
        if kind == "requestPut":
            assert given["lease"] == "0" or given["lease"] in self.leases
            self.keys[key] = (plain(given["value"]), self.revision, given["lease"])
        else:
            self.keys.pop(key, None)
        return {}


@pytest.fixture
def etcd() -> Fake:
    return Fake()


def locks(etcd: Fake, who: Holder, later: float = 0) -> Locks:
    return Locks(etcd, replace(who, since=who.since + later))


def do(etcd: Fake, who: Holder, state: str, **asked: Any) -> tuple[bool, list[str]]:
    return STATES[state](locks(etcd, who), Asked(**asked))


def void(_done: object) -> None:
    """For a lambda whose result nobody wants."""


def lease(etcd: Fake) -> str:
    return etcd.keys[CHANGE][2]


def test_the_second_is_told_everything(etcd: Fake) -> None:
    assert do(etcd, ANNA, "acquired") == (False, [])
    with pytest.raises(HeldError) as refused:
        do(etcd, BERT, "acquired")
    assert refused.value.token == ANNA.token
    for said in (
        *("anna@laptop runs deploy.yml (release 1.4.2), process 4711, since 2001-09-09 01:46:40 UTC", "in 10 min 0 s"),
        "ansible-playbook playbooks/unlock.yml -i inventories/prod -e holder=anna@laptop",
    ):
        assert said in str(refused.value)
    assert do(etcd, ANNA, "released") == (False, [])
    assert do(etcd, BERT, "acquired") == (False, [])
    assert len(etcd.leases) == 1, "a lease of the refused or released run is left"


def test_taking_it_twice_in_one_run_renews_it(etcd: Fake) -> None:
    do(etcd, ANNA, "acquired")
    before = dict(etcd.keys)
    assert do(etcd, ANNA, "acquired") == do(etcd, ANNA, "renewed") == (False, [])
    assert etcd.keys == before


def test_who_comes_between_looking_and_writing_wins(etcd: Fake) -> None:
    etcd.between = lambda: void(do(etcd, BERT, "acquired"))
    with pytest.raises(LockError, match=r"bert@desk runs rollback\.yml, process 12"):
        do(etcd, ANNA, "acquired")
    assert len(etcd.leases) == 1


def test_a_freeze_that_comes_between_counts(etcd: Fake) -> None:
    etcd.between = lambda: void(do(etcd, BERT, "frozen", reason="stop"))
    with pytest.raises(LockError, match="frozen by bert@desk"):
        do(etcd, ANNA, "acquired")
    assert CHANGE not in etcd.keys


def test_a_lapsed_lock_is_taken_again_where_nobody_came_between(etcd: Fake) -> None:
    do(etcd, ANNA, "acquired")
    etcd.lapse(lease(etcd))
    changed, lines = STATES["renewed"](locks(etcd, replace(ANNA, reason=""), 900), Asked())
    assert (changed, len(lines)) == (False, 1)
    kept = locks(etcd, ANNA).view().holder
    assert kept == ANNA, "reason and beginning are those of the run"


def cleared(etcd: Fake) -> None:
    do(etcd, BERT, "cleared", holder="anna@laptop")


def taken(etcd: Fake) -> None:
    etcd.lapse(lease(etcd))
    do(etcd, BERT, "acquired")


def taken_and_released(etcd: Fake) -> None:
    taken(etcd)
    do(etcd, BERT, "released")


@pytest.mark.parametrize("state", ["renewed", "kept"])
@pytest.mark.parametrize("happens", [cleared, taken, taken_and_released])
def test_a_run_that_lost_its_lock_stops_and_harms_nobody(
    etcd: Fake, happens: Callable[[Fake], None], state: str
) -> None:
    do(etcd, ANNA, "acquired")
    happens(etcd)
    before = dict(etcd.keys)
    with pytest.raises(LockError, match=r"no longer holds the fleet.*bert@desk runs rollback\.yml"):
        do(etcd, ANNA, state)
    changed, lines = do(etcd, ANNA, "released")
    assert (changed, "not this run's any more" in lines[0]) == (False, True)
    assert etcd.keys == before


def test_a_lease_that_lapses_while_it_is_renewed(etcd: Fake) -> None:
    do(etcd, ANNA, "acquired")
    held = locks(etcd, ANNA)
    seen = held.view()
    etcd.lapse(lease(etcd))
    assert not held._keep(seen)
    assert held.renew() is False
    assert held.view().holder == ANNA


def test_a_dead_run_is_taken_over_by_its_token_only(etcd: Fake) -> None:
    do(etcd, ANNA, "acquired")
    with pytest.raises(HeldError):
        do(etcd, BERT, "acquired", instead_of="another token")
    _changed, lines = do(etcd, BERT, "acquired", instead_of=ANNA.token)
    assert lines[0].startswith("taken over from a run that is dead: anna@laptop runs deploy.yml")
    with pytest.raises(LockError, match="no longer holds"):
        do(etcd, ANNA, "renewed")


def test_an_answer_that_was_lost_is_no_refusal(etcd: Fake) -> None:
    """The transaction was carried out, its answer lost, and the repeated one finds the key there."""
    whole = etcd.kv_txn

    def lossy(given: dict[str, Any]) -> dict[str, Any]:
        answer = whole(given)
        return {} if "compare" in given else answer

    etcd.kv_txn = lossy  # type: ignore[method-assign]
    assert do(etcd, ANNA, "acquired") == (False, [])
    assert len(etcd.leases) == 1


@pytest.mark.parametrize("typed", ["", "bert@desk", "anna"])
def test_clearing_needs_the_holders_name(etcd: Fake, typed: str) -> None:
    do(etcd, ANNA, "acquired")
    with pytest.raises(LockError, match="type its name: -e holder=anna@laptop"):
        do(etcd, BERT, "cleared", holder=typed)
    assert do(etcd, ANNA, "renewed") == (False, [])


def test_nothing_to_clear(etcd: Fake) -> None:
    assert do(etcd, BERT, "cleared", holder="anna@laptop")[0] is False


def test_a_frozen_fleet(etcd: Fake) -> None:
    do(etcd, ANNA, "acquired")
    changed, lines = do(etcd, BERT, "frozen", reason="market holiday", until="8h")
    assert changed
    assert "a run is under way and goes on: anna@laptop" in lines[1]
    assert do(etcd, ANNA, "renewed") == (False, [])
    do(etcd, ANNA, "released")
    with pytest.raises(LockError, match=r"frozen by bert@desk .*market holiday.*thaw\.yml.*\"override_freeze='why'\""):
        do(etcd, ANNA, "acquired")
    _changed, lines = do(etcd, ANNA, "acquired", override_freeze="data fix, ticket 7")
    assert "market holiday" in lines[0]
    assert lines[0].endswith("Gone on all the same: data fix, ticket 7")
    held = locks(etcd, ANNA).view().holder
    assert held is not None
    assert "in spite of the freeze: data fix, ticket 7" in held.words
    assert do(etcd, ANNA, "thawed")[0]
    assert not do(etcd, ANNA, "thawed")[0]
    assert FREEZE not in etcd.keys


def test_a_freeze_needs_a_reason(etcd: Fake) -> None:
    with pytest.raises(LockError, match="needs a reason"):
        do(etcd, ANNA, "frozen")
    assert not etcd.keys


def test_a_freeze_ends_by_itself(etcd: Fake) -> None:
    do(etcd, BERT, "frozen", reason="x", until="90m")
    with pytest.raises(LockError, match="frozen"):
        do(etcd, ANNA, "acquired")
    assert STATES["acquired"](locks(etcd, ANNA, 60 + 90 * 60 + 1), Asked()) == (False, [])


def test_two_reasons_do_not_overwrite_each_other(etcd: Fake) -> None:
    assert do(etcd, BERT, "frozen", reason="x")[0]
    assert not do(etcd, BERT, "frozen", reason="x")[0]
    with pytest.raises(LockError, match="Thaw it first"):
        do(etcd, ANNA, "frozen", reason="y")


@pytest.mark.parametrize(
    ("until", "says"),
    [("tomorrow", "is no moment"), ("2001-09-08T00:00", "is over"), ("5", "is no moment"), ("8 h", "is no moment")],
)
def test_an_end_that_is_none(etcd: Fake, until: str, says: str) -> None:
    with pytest.raises(LockError, match=says):
        do(etcd, ANNA, "frozen", reason="x", until=until)
    assert not etcd.keys


def test_an_end_with_a_zone(etcd: Fake) -> None:
    _changed, lines = do(etcd, ANNA, "frozen", reason="x", until="2001-09-09T04:00+02:00")
    assert "until 2001-09-09 02:00:00 UTC" in lines[0]


@pytest.mark.parametrize("state", list(STATES))
def test_a_check_writes_nothing(etcd: Fake, state: str) -> None:
    do(etcd, ANNA, "acquired")
    do(etcd, ANNA, "frozen", reason="x")
    keys, leases = dict(etcd.keys), dict(etcd.leases)
    do(etcd, BERT, state, check=True, reason="y", holder="anna@laptop")
    assert (etcd.keys, etcd.leases) == (keys, leases)


def test_a_check_says_what_would_be_refused(etcd: Fake) -> None:
    assert do(etcd, BERT, "acquired", check=True) == (False, [])
    do(etcd, ANNA, "acquired")
    assert "would be refused: The fleet is being changed: anna@laptop" in do(etcd, BERT, "acquired", check=True)[1][0]
    do(etcd, ANNA, "released")
    do(etcd, ANNA, "frozen", reason="x")
    assert "would be refused: The fleet is frozen by anna@laptop" in do(etcd, BERT, "acquired", check=True)[1][0]


def test_status(etcd: Fake) -> None:
    assert do(etcd, BERT, "status") == (False, ["held: by nobody"])
    do(etcd, ANNA, "acquired")
    do(etcd, ANNA, "frozen", reason="x")
    lines = do(etcd, BERT, "status")[1]
    assert lines[0].startswith("held: anna@laptop runs deploy.yml (release 1.4.2)")
    assert lines[0].endswith("it lapses by itself in 10 min 0 s, unless that run renews it")
    assert lines[1].startswith("frozen by anna@laptop since 2001-09-09 01:46:40 UTC, until it is thawed: x")


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}"])
@pytest.mark.parametrize("key", [CHANGE, FREEZE, LAST])
def test_what_cannot_be_read_is_no_reason_to_go_on(etcd: Fake, key: str, text: str) -> None:
    etcd.keys[key] = (text, 1, "0")
    with pytest.raises(LockError, match="cannot be read"):
        do(etcd, ANNA, "acquired")
