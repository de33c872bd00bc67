"""Releases that nobody notices: each under the same load, with no failed request."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import releases
from data import stopped
from edge import ask
from fleet import inside
from probe import Traffic, Window, secret
from processes import watched
from releases import REGISTRY, another, arrived_at, current, one_set, operate, refused, starts, well

# All that an app host is given, by their names in the vault.
SECRETS = (
    "vault_postgres_app_password",
    "vault_postgres_owner_password",
    "vault_redis_app_password",
    "vault_registry_password",
    "vault_app_session_key",
)
# Of every task of Ansible on a host: where this is not seen, nothing was looked at.
SEEN = "BECOME-SUCCESS"


def test_deploy(load: Traffic) -> None:
    """WebSockets are told to go (1001), and are back within 2 s. Meanwhile no command line shows a secret."""
    old, new = current(), another()
    words = {name: secret(name) for name in SECRETS} | {SEEN: SEEN}
    with watched(releases.HOSTS, words) as shown, load.window() as seen:
        ran = well("deploy", release=new, **releases.gate("app_canary_hold"))
    seen.assert_unnoticed(reconnect=2.0)
    assert shown == {host: {SEEN} for host in releases.HOSTS}
    one_set(new)
    # Each once: none comes back to a set that is to leave as well.
    assert seen.sockets_closed == {"1001": 20}, seen.figures
    assert {name.split("-")[0] for name in seen.releases} >= {"v1", "v2"}, seen.releases
    # The plan before, and what was measured after.
    assert re.search(r"app1.*app2", ran.folded), ran.output
    assert old in ran.output
    assert "measured" in ran.output, ran.output
    assert "share of failed requests: canary 0, baseline 0" in ran.folded, ran.output


def test_the_same_again_changes_nothing(seen: Window) -> None:
    """No container's start time moves."""
    before = starts()
    ran = well("deploy", release=current())
    assert set(ran.changed.values()) == {0}, ran.output
    assert starts() == before


def test_rollback_needs_no_registry(seen: Window) -> None:
    before = another()
    with stopped(REGISTRY, "world1"):
        well("rollback")
    one_set(before)


@pytest.mark.long
def test_a_leaking_release_ends_at_the_gatekeeper(load: Traffic) -> None:
    """Its containers are ready, and it fails 5 % of its requests: Prometheus says so before the second host moves."""
    before, was = starts(), releases.releases()
    with load.window() as seen:
        ran = refused("deploy", "share of failed requests: 0.0", release="leaky", **releases.gate("app_canary_hold"))
    assert releases.releases() == was
    one_set(current())
    assert starts()["app2"] == before["app2"]
    assert "Swap | app2" not in ran.output, ran.output
    assert all("leaky" in problem for problem in seen.errors), seen.errors


@pytest.mark.long
def test_blue_green_there_and_back(load: Traffic) -> None:
    releases.converge("v1")
    with load.window() as there:
        well("blue_green", release="v2")
    there.assert_unnoticed()
    assert releases.is_on("v2")
    # The other set is warm: the way back starts nothing.
    before = starts()
    with load.window() as back:
        well("blue_green", back=True)
    back.assert_unnoticed()
    assert releases.is_on("v1")
    for host, found in starts().items():
        assert found.items() <= before[host].items(), (found, before)
    well("deploy", release="v1")
    one_set("v1")


def test_a_good_canary_is_promoted(load: Traffic) -> None:
    """Each client stays in its cohort while the share grows."""
    new = another()
    with load.window() as seen:
        # New containers on two busy cores answer their first requests late, and haproxy's mean remembers them.
        ran = well("canary", release=new, steps=[30], app_gate_latency_slack_ms=1000, **releases.gate("hold"))
    seen.assert_unnoticed()
    assert seen.strays == {}, seen.strays
    assert "share of failed requests: canary 0, baseline 0" in ran.folded, ran.output
    assert "promoted" in ran.output, ran.output
    one_set(new)


@pytest.mark.long
def test_named_users_come_first(load: Traffic) -> None:
    """At a share of nothing they alone get the canary, by what stands before the first dot of a token."""
    old, new, named, somebody = current(), another(), "987654321", "987654322"

    def served(user: str) -> str:
        return ask("lb1", "/", Authorization=f"Bearer {user}.not.verified").one("X-Release").split("-")[0]

    gate = {"app_gate_min_requests": 20, "app_gate_latency_slack_ms": 1000}
    with (
        arrived_at("Canary | Wait", "canary", release=new, steps=[0], users=[named], hold=14, **gate) as run,
        ThreadPoolExecutor(1) as reader,
    ):
        output = reader.submit(run.communicate, timeout=240)
        with load.window() as others:
            answers = {user: {served(user) for _ in range(8)} for user in (named, somebody)}
        assert answers == {named: {new}, somebody: {old}}
        assert not any(name.startswith(f"{new}-") for name in others.releases), others.releases
        others.assert_unnoticed()
        # The gate wants a request of theirs in every step.
        while not output.done():
            served(named)
            time.sleep(0.5)
    assert run.returncode == 0, output.result()[0]
    one_set(new)


def test_a_leaking_canary_is_withdrawn(load: Traffic) -> None:
    """It fails 5 % of its requests; only its share of clients sees that, and the gate ends it."""
    served = current()
    with load.window() as seen:
        ran = refused("canary", "withdrawn", release="leaky", steps=[20, 50], hold=10, app_gate_min_requests=20)
    one_set(served)
    assert re.search(r"5xx|errors", ran.output), ran.output
    assert all("leaky" in problem for problem in seen.errors), seen.errors
    assert seen.failed <= 0.02 * seen.requests, seen.figures
    # What was withdrawn fails nothing any more.
    with load.window() as after:
        time.sleep(5)
    after.assert_unnoticed()


@pytest.mark.long
def test_scale(seen: Window) -> None:
    """More of one service, and back: the ones that were there are not touched."""
    releases.converge("v2")
    before = starts()
    well("scale", instances={"api": 3})
    more = starts()
    for host in releases.HOSTS:
        assert before[host].items() < more[host].items()
        assert sum("-api-" in name for name in more[host]) == 3
    well("scale", instances={"api": 2})
    assert starts() == before


@pytest.mark.long
def test_new_configuration_is_a_release_and_rolls_back(seen: Window) -> None:
    releases.converge("v2")
    was = releases.releases()["app1"]
    well("update_config", app_env=releases.environment(LOG_LEVEL="WARNING"))
    now = releases.releases()["app1"]
    one_set(now)
    assert (now.split("-")[0], now != was) == ("v2", True)
    well("rollback")
    one_set(was)


def test_dockerd_restarts(seen: Window) -> None:
    """FAULT 21: live-restore keeps the containers."""
    before = starts()
    for host in releases.HOSTS:
        inside(host, "systemctl restart docker")
    assert starts() == before


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("crash", ["exited with code 3", "this is the variant that crashes"]),
        pytest.param("never-ready", ["not ready within 8 s", "never gets ready"], marks=pytest.mark.long),
        pytest.param("error503", ["503", "answers 503"], marks=pytest.mark.long),
        pytest.param("slow", ["not ready within 8 s", "starts slowly"], marks=pytest.mark.long),
    ],
)
def test_a_bad_image_never_serves(load: Traffic, image: str, says: list[str]) -> None:
    """FAULT 19: the reason and the last lines of its log are told, the old release goes on, and is not touched."""
    before, was = starts(), releases.releases()
    with load.window() as seen:
        refused("deploy", image, *says, release=image, app_ready_timeout=8)
    seen.assert_unnoticed()
    assert not any(image in name for name in seen.releases), seen.releases
    assert seen.sockets_closed == {}
    assert releases.releases() == was
    assert starts() == before
    # Nor is it what a rollback leads to.
    assert not any(image in name for host in releases.HOSTS for name in releases.state(host)["history"])


def test_resource_usage() -> None:
    ran = operate("resource_usage")
    assert ran.code == 0, ran.output
    assert re.search(r"app1.*api.*app2", ran.folded), ran.output


def test_every_container_says_that_it_is_well() -> None:
    """By its service's command, which docker runs again and again, and the alert ContainerUnhealthy listens to."""
    for host in releases.HOSTS:
        for name, one in releases.containers(host).items():
            assert one["State"]["Health"]["Status"] in ("starting", "healthy"), one["State"]["Health"]
            inside(host, " ".join(["docker exec", name, *one["Config"]["Healthcheck"]["Test"][1:]]))


def test_containers_and_command_lines_show_no_secret(load: Traffic) -> None:
    said = inside("app1", "docker ps -aq | xargs docker inspect; ps axww")
    assert [name for name in SECRETS if secret(name) in said] == []
    # What is handed over for an application's own use, such as Sentry's address, is a file too, and nothing else.
    address = releases.inventory()["app_secrets"]["sentry_dsn"]
    api = next(name for name in releases.containers("app1") if "-api-" in name)
    assert inside("app1", f"docker exec {api} cat /run/secrets/sentry_dsn").strip() == address
    assert address not in said
