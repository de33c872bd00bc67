"""A deploy dies at six points, with its lock in its hand; the run after it ends as if nothing had been."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator

import pytest
import releases
from fleet import playbook
from probe import Traffic
from releases import MIGRATE, PLAN, PULL, SWAP, SWAP_2, SWAPPED, arrived_at, one_set, refused, well


@pytest.fixture(scope="module")
def load() -> Iterator[Traffic]:
    releases.converge("v1")
    with Traffic("world1", seconds=900) as run:
        run.wait_ready(90)
        yield run
        orders = run.result().orders
    assert (orders["lost"], orders["doubled"]) == (0, 0), orders


@pytest.mark.parametrize(
    ("task", "after"),
    [
        (PLAN, 0.0),
        (PULL, 0.5),
        # The migration goes on without its run, and the next run's waits for it.
        (MIGRATE, 0.5),
        # The first host's new set is starting; later it has switched, or drains.
        (SWAP, 1.0),
        (SWAP, 5.0),
        # Between the hosts.
        (SWAPPED, 0.0),
        (SWAP_2, 3.0),
    ],
)
def test_killed(load: Traffic, task: str, after: float) -> None:
    new = releases.another()
    with load.window() as seen:
        with arrived_at(task, "deploy", release=new) as run:
            time.sleep(after)
            assert run.poll() is None, "the run ended before it was killed: nothing was proven"
        # Each host serves one of the two, whole.
        assert {name.split("-")[0] for name in releases.releases().values()} <= {"v1", "v2"}, releases.releases()
        well("deploy", release=new)
    seen.assert_unnoticed()
    one_set(new)


def test_a_rollback_that_was_killed_leads_to_where_it_began_by_no_second_one(load: Traffic) -> None:
    """Between the hosts: what is the release before differs from host to host then, so it has to be named."""
    releases.converge("v1")
    well("deploy", release="v2")
    left = releases.releases()["app1"]
    with load.window() as seen:
        with arrived_at(SWAPPED, "rollback"):
            pass
        assert {name.split("-")[0] for name in releases.releases().values()} == {"v1", "v2"}, releases.releases()
        refused("rollback", "serve different releases", "-e to=")
        well("rollback", to="v1")
    seen.assert_unnoticed()
    one_set("v1")
    assert all(left not in releases.state(host)["history"] for host in releases.HOSTS)


def test_a_run_that_lost_its_lock_touches_nothing_any_more(load: Traffic) -> None:
    """Its work is another run's by now: it must neither go on nor put back."""
    releases.converge("v1")
    with load.window() as seen, arrived_at(SWAPPED, "deploy", release="v2") as run:
        # As a laptop whose lid was closed.
        run.send_signal(signal.SIGSTOP)
        told = playbook("playbooks/lock_status.yml")
        holder = re.search(r"held: (\S+@\S+) runs", told.folded)
        assert holder, told.output
        cleared = playbook("playbooks/unlock.yml", "-e", f"holder={holder[1]}")
        assert cleared.code == 0, cleared.output
        well("deploy", release="v1")
        before = (releases.releases(), releases.starts())
        run.send_signal(signal.SIGCONT)
        output = run.communicate(timeout=240)[0]
    assert run.returncode != 0, output
    assert "no longer holds the fleet" in output, output
    assert (releases.releases(), releases.starts()) == before
    seen.assert_unnoticed()
    one_set("v1")


def test_a_canary_that_was_killed_is_given_up_by_going_back() -> None:
    releases.converge("v1")
    well("deploy", release="v2")
    with arrived_at("Gate | Wait", "canary", release="leaky", steps=[1], hold=60):
        pass
    refused("rollback", "a canary lives", "withdraw_canary=true")
    # What is refused on one host takes the canary of no other.
    with releases.maintenance("app2"):
        refused("rollback", "in maintenance", withdraw_canary=True)
    assert [releases.state(host)["other"]["purpose"] for host in releases.HOSTS] == ["canary", "canary"]
    well("rollback", withdraw_canary=True)
    one_set("v1")
