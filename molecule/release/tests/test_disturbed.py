"""Releases that something comes between: the registry, another operator, a host that dies."""

from __future__ import annotations

import json
import signal
import time

import data
import pytest
import releases
from fleet import folded, inside
from probe import Traffic
from releases import (
    PLAN,
    REGISTRY,
    SWAP,
    SWAPPED,
    another,
    arrived_at,
    one_set,
    operate,
    refused,
    starts,
    well,
)


def test_a_deploy_under_way(load: Traffic) -> None:
    """FAULT 20: everything was pulled everywhere before, so it needs no registry any more. FAULT 26: a second one is
    refused and names the holder, and the first is not disturbed."""
    new = another()
    with (
        load.window() as seen,
        arrived_at(SWAP, "deploy", release=new) as first,
        data.stopped(REGISTRY, "world1"),
    ):
        refused("deploy", "is being changed", f"deploy {new}", release="v1")
        assert first.poll() is None, "the first had ended before the second was refused: nothing was proven"
        output = first.communicate(timeout=240)[0]
    seen.assert_unnoticed()
    assert first.returncode == 0, output
    one_set(new)


def test_one_host_that_fails_keeps_no_other_from_going_back(load: Traffic) -> None:
    """The second host's engine ends just before its turn: the first one has switched by then. Containers go on."""
    old, new = releases.releases()["app1"], another()
    with load.window() as seen, arrived_at(SWAPPED, "deploy", release=new) as run:
        run.send_signal(signal.SIGSTOP)
        # The socket would start the engine again.
        with data.stopped("docker.socket", "app2"), data.stopped("docker", "app2"):
            run.send_signal(signal.SIGCONT)
            output = run.communicate(timeout=240)[0]
            assert releases.releases()["app1"] == old, output
    assert run.returncode != 0, output
    assert "was not released" in output, output
    data.wait_until("app2 serves with its engine", lambda: serves("app2"), 60)
    seen.assert_unnoticed()
    one_set(old)
    # And a rollback leads elsewhere.
    assert not any(name.startswith(f"{new}-") for name in releases.state("app1")["history"])


@pytest.mark.long
def test_a_host_that_cannot_be_scaled_is_named(load: Traffic) -> None:
    """Its engine ends after it was asked whether it can."""
    releases.converge("v1")
    with load.window() as seen, arrived_at(PLAN, "scale", instances={"api": 3}) as run:
        run.send_signal(signal.SIGSTOP)
        with data.stopped("docker.socket", "app2"), data.stopped("docker", "app2"):
            run.send_signal(signal.SIGCONT)
            output = run.communicate(timeout=240)[0]
    assert run.returncode != 0, output
    assert "app1 api 3: scaled app2 not known" in folded(output), output
    data.wait_until("app2 serves with its engine", lambda: serves("app2"), 60)
    well("scale", instances={"api": 2})
    seen.assert_unnoticed()
    one_set("v1")


@pytest.mark.long
def test_a_canary_whose_prometheus_host_goes_away(load: Traffic) -> None:
    """It is a no, and a no of everybody: the host that asks must not be left out of going back."""
    old, new = releases.releases()["app1"], another()
    question = {"name": "share of failures", "query": 'up{release="$release", window="$window"}'}
    gate = {"app_gate_min_requests": 1, "app_gate_latency_slack_ms": 1000, "app_gate_questions": [question]}
    with (
        load.window() as seen,
        arrived_at("Gate | Wait", "canary", release=new, steps=[30], hold=14, **gate) as run,
        data.stopped("ssh", "ops1"),
    ):
        inside("ops1", "pkill -f '[s]shd: ansible' || true")
        output = run.communicate(timeout=240)[0]
    assert run.returncode != 0, output
    assert "was withdrawn" in output, output
    assert "ops1" in output, output
    seen.assert_unnoticed()
    one_set(old)


@pytest.mark.long
def test_without_a_registry_nothing_begins(load: Traffic) -> None:
    before = starts()
    with load.window() as seen, data.stopped(REGISTRY, "world1"):
        refused("deploy", "registry", release="v1")
    seen.assert_unnoticed()
    assert starts() == before
    # The same command, once it is back.
    well("deploy", release="v1")
    one_set("v1")


def test_an_app_host_dies(load: Traffic) -> None:
    """At most the requests in flight fail, clients of the other host notice nothing, and its return nobody does."""
    with load.window() as before:
        time.sleep(3)
    in_flight = round(before.requests / before.seconds * before.p99_ms / 1000) + 1
    with load.window() as gone:
        data.kill_host("app1")
        time.sleep(8)
    # Its ports are closed until its containers are ready: nginx sends nothing there that it could not repeat.
    with load.window() as back:
        data.start_host("app1")
        data.wait_until("app1 serves again", lambda: serves("app1"), 180)
        time.sleep(5)
    assert gone.failed <= max(in_flight, 4), gone.figures
    # Those whose sockets it held are back by way of the other one.
    assert gone.sockets_missing == 0, gone.figures
    back.assert_unnoticed()
    current = releases.current()
    with load.window() as after:
        assert operate("deploy", release=current).code == 0
    after.assert_unnoticed()
    one_set(current)


def serves(host: str) -> bool:
    """A host that has just booted has its engine and its switch a while later, and opens its ports last."""
    try:
        found = releases.containers(host).values()
        inside(host, "for port in 8080 3000; do ss -Hltn sport = :$port | grep -q . || exit 1; done")
    except (AssertionError, json.JSONDecodeError):
        return False
    return bool(found) and all(one["State"]["Running"] for one in found)
