"""Two runs never change the fleet at once; a dead run holds nobody up for long; without etcd nobody gets the lock."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import data
import fleet
import pytest
from fleet import ROOT, inside, playbook
from probe import execute, secret

HOLD = "molecule/lock/hold.yml"
RACE = "/run/lock-race"
GO_ON = "/run/lock-story-goes-on"
# Within 10 s on a quiet machine; a story runs beside others.
REFUSED_WITHIN = 25
COLLECTIONS = ROOT / "collections"
UTILS = COLLECTIONS / "ansible_collections/trading/platform/plugins/module_utils"


def status() -> str:
    return playbook("playbooks/lock_status.yml").folded


def holder() -> str:
    found = re.search(r"held: (\S+@\S+) runs", status())
    return found[1] if found else ""


@pytest.fixture(scope="module", autouse=True)
def free() -> Iterator[None]:
    yield
    playbook("playbooks/thaw.yml")
    if name := holder():
        playbook("playbooks/unlock.yml", "-e", f"holder={name}")


@contextmanager
def holding() -> Iterator[subprocess.Popen[str]]:
    """A run that has the lock until let_go, or until it is ended as -9 does."""
    inside("app1", f"rm -f {GO_ON}")
    process = fleet.start("ansible-playbook", HOLD, "-i", fleet.INVENTORY, "-e", f"go_on={GO_ON}")
    try:
        assert process.stdout is not None
        assert any("TASK [Hold it]" in line for line in process.stdout), "it never came to hold the lock"
        yield process
    finally:
        process.kill()
        process.communicate()


def let_go(process: subprocess.Popen[str]) -> str:
    inside("app1", f"touch {GO_ON}")
    return process.communicate(timeout=60)[0]


def ship() -> str:
    """The lock's own code and the race, to a directory that Python imports from."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for name in ("_etcd", "_https", "_lock"):
            packed.add(UTILS / name, arcname=str((UTILS / name).relative_to(COLLECTIONS)))
        packed.add(Path(__file__).parent / "race.py", arcname="race.py")
    execute("db1", "sh", "-c", f"mkdir -p {RACE} && tar -x -C {RACE}", given=buffer.getvalue())
    return f"{RACE}/race.py"


def test_of_those_who_ask_at_one_moment_one_gets_it_and_a_lease_lapses() -> None:
    endpoints = ",".join(f"https://{fleet.address(name)}:2379" for name in data.ETCD)
    ca = "/etc/trading-platform/pki/etcd/ca.pem"
    password = f"{secret('vault_etcd_lock_password')}\n".encode()
    told = json.loads(execute("db1", "python3", ship(), ca, endpoints, given=password))
    assert [len(winners) for winners in told["winners"]] == [1] * 20, told
    assert told["lapsed"] < 15, told
    assert told["renewed"] is False, told


def test_the_second_run_is_refused_and_a_dead_one_taken_over() -> None:
    with holding() as process:
        began = time.monotonic()
        refused = playbook(HOLD)
        took = time.monotonic() - began
        checked = playbook(HOLD, "--check")
        wrong = playbook("playbooks/unlock.yml", "-e", "holder=somebody@else")
        process.kill()
        after = playbook(HOLD)
    said = refused.folded
    assert refused.code != 0
    assert took < REFUSED_WITHIN, f"refused after {took:.1f} s"
    assert f"runs hold.yml (a story), process {process.pid}, since 20" in said
    assert "it lapses by itself in 9 min" in said
    assert re.search(r"ansible-playbook playbooks/unlock.yml -i \S+ -e holder=\S+@\S+", said), said
    assert checked.code == 0, checked.output
    assert "would be refused: The fleet is being changed" in checked.folded
    assert wrong.code != 0
    assert "type its name: -e holder=" in wrong.folded
    assert after.code == 0, after.output
    assert "taken over from a run that is dead: " in after.folded
    assert set(after.changed.values()) == {0}, after.output
    assert holder() == ""


def servers() -> list[str]:
    return [data.primary(), *(data.sql(name, "select pg_postmaster_start_time()") for name in data.DATABASES)]


def test_work_on_the_database_is_refused_and_a_failover_is_judged_all_the_same() -> None:
    """A failover is for an incident, in which whoever holds the lock may be dead."""
    data.wait_healthy()
    before = servers()
    with holding():
        restart = playbook("playbooks/rolling_restart.yml", "-e", "all=true")
        checked = playbook("playbooks/rolling_restart.yml", "-e", "all=true", "--check")
        reinit = playbook("playbooks/reinit_replica.yml", "-e", f"member={data.replica()}")
        failover = playbook("playbooks/failover.yml")
    after = servers()
    for ran in (restart, reinit):
        assert ran.code != 0
        assert "The fleet is being changed" in ran.folded, ran.output
    assert checked.code == 0, checked.output
    assert "would be refused: The fleet is being changed" in checked.folded, checked.output
    assert failover.code != 0
    assert "is a healthy leader" in failover.folded, failover.output
    assert after == before


def test_a_run_whose_lock_was_cleared_stops() -> None:
    with holding() as process:
        cleared = playbook("playbooks/unlock.yml", "-e", f"holder={holder()}")
        rest = let_go(process)
    assert cleared.code == 0, cleared.output
    assert process.returncode != 0, rest
    assert "no longer holds the fleet" in rest, rest
    assert "unlock.yml" in rest, rest


def test_a_frozen_fleet_is_left_alone() -> None:
    assert playbook("playbooks/freeze.yml").code != 0
    frozen = playbook("playbooks/freeze.yml", "-e", "reason='a market holiday'", "-e", "until=8h")
    refused = playbook(HOLD)
    overridden = playbook(HOLD, "-e", "override_freeze='a data fix'")
    shown = status()
    thawed = playbook("playbooks/thaw.yml")
    after = playbook(HOLD)
    assert frozen.code == thawed.code == after.code == overridden.code == 0, frozen.output + overridden.output
    assert refused.code != 0
    assert "a market holiday" in refused.folded
    assert "override_freeze" in refused.folded
    assert "Gone on all the same: a data fix" in overridden.folded
    assert "frozen by" in shown


def test_a_member_that_cannot_be_reached_is_passed_over() -> None:
    """The first member's SSH and its etcd are away."""
    with data.stopped("etcd", "db1"), data.stopped("ssh", "db1"):
        inside("db1", "pkill -f '[s]shd: ansible' || true")
        ran = playbook(HOLD)
    data.wait_healthy()
    assert ran.code == 0, ran.output
    assert "Trying the next" in ran.folded, ran.output


def test_without_etcd_nobody_gets_it() -> None:
    with data.stopped("etcd", *data.ETCD):
        began = time.monotonic()
        refused = playbook(HOLD)
        took = time.monotonic() - began
        checked = playbook(HOLD, "--check")
    data.wait_healthy()
    assert refused.code != 0
    assert took < REFUSED_WITHIN, f"refused after {took:.1f} s"
    assert "Without it nothing is changed" in refused.folded, refused.output
    assert checked.code == 0, checked.output
    assert "could not be asked" in checked.folded, checked.output
