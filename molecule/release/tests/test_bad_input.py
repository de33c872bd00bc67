"""Bad input and bad moments: refused with a reason and with what exists, before any container has moved.

By its name the first file of the story: its many runs need no load, and are twice as fast without.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator

import pytest
import releases
from data import stopped, wait_until
from fleet import inside, run
from releases import REGISTRY, another, current, maintenance, refused, starts, well

SECRETS = "/etc/trading-platform/app/config"


@pytest.fixture(autouse=True, scope="module")
def on_v1() -> None:
    releases.converge("v1")


@pytest.fixture(autouse=True)
def no_container_moves() -> Iterator[None]:
    before, was = starts(), releases.releases()
    yield
    assert starts() == before
    assert releases.releases() == was


@pytest.mark.parametrize(
    ("playbook", "variables", "says"),
    [
        pytest.param("deploy", {}, ["no name of a release"], marks=pytest.mark.long),
        # With the list of what exists.
        ("deploy", {"release": "v77"}, ["v77", r"v1\b.*v2\b"]),
        ("deploy", {"release": "../v1"}, ["no name of a release", r"\.\./v1"]),
        ("deploy", {"release": "v1", "digests": {"trading/app": f"sha256:{'0' * 64}"}}, ["sha256:0{64}"]),
        pytest.param(
            "deploy", {"release": "v1", "app_secrets": {}}, ["session_key|database_password"], marks=pytest.mark.long
        ),
        ("rollback", {"to": "v77"}, ["v77", "v1-"]),
        ("canary", {"release": "v1", "steps": [10, 101]}, ["from 0 to 100"]),
        pytest.param("canary", {"release": "v1", "steps": [-1]}, ["from 0 to 100"], marks=pytest.mark.long),
        pytest.param("scale", {"instances": {"api": 99}}, ["0 to 8 instances"], marks=pytest.mark.long),
        ("scale", {"service": "api", "instances": "two"}, ["two.* cannot be: .*0 to 8 instances"]),
        pytest.param(
            "scale", {"service": "api", "instances": ""}, ["cannot be: .*0 to 8 instances"], marks=pytest.mark.long
        ),
        ("scale", {"service": "api", "instances": 0}, ["api takes requests", "maintenance.yml"]),
        pytest.param("scale", {"instances": {"apii": 2}}, ["a service is one of .*api"], marks=pytest.mark.long),
    ],
)
def test_bad_input(playbook: str, variables: dict[str, object], says: list[str]) -> None:
    refused(playbook, *says, **variables)


@contextlib.contextmanager
def wrong_credentials() -> Iterator[None]:
    """Of the registry, on every app host."""
    wrong = base64.b64encode(b"deploy:wrong").decode()
    for host in releases.HOSTS:
        edit = f"""s/"auth": *"[^"]*"/"auth": "{wrong}"/"""
        inside(host, f"cd /root/.docker && cp -p config.json kept && sed -i '{edit}' config.json")
    try:
        yield
    finally:
        for host in releases.HOSTS:
            inside(host, "cd /root/.docker && mv kept config.json")


def test_wrong_credentials() -> None:
    with wrong_credentials():
        refused("deploy", "refuses the credentials", release=another())


def test_no_registry() -> None:
    with stopped(REGISTRY, "world1"):
        refused("deploy", "the registry .* does not answer", release=another())
    wait_until("the registry answers again", lambda: listens("world1", 5000), 20)


def listens(host: str, port: int) -> bool:
    return bool(inside(host, f"ss --listening --tcp --numeric --no-header sport = :{port}"))


@contextlib.contextmanager
def missing(path: str) -> Iterator[None]:
    """On the second host; it comes back by itself only where nothing has landed it again."""
    inside("app2", f"mv {path} /run/story-secret")
    try:
        yield
    finally:
        inside("app2", f"[ -e {path} ] || cp -p /run/story-secret {path}; rm /run/story-secret")


def test_a_missing_secret_file() -> None:
    """Going back lands nothing, so it is refused before any container moves; the next deploy lands it again."""
    live = releases.releases()["app2"]
    path = f"{SECRETS}/{live.rpartition('-')[2]}/session_key"
    look = f"stat -c '%a %u:%g' {path}; sha256sum {path}"
    before = inside("app2", look)
    with missing(path):
        refused("rollback", f"secret file missing: {path}", "app2", to=live)
        ran = well("deploy", release=current())
        assert (ran.changed["app1"], ran.changed["app2"]) == (0, 1), ran.output
        assert inside("app2", look) == before


@pytest.mark.parametrize(
    ("playbook", "variables"),
    [
        ("deploy", {"release": "v2"}),
        # To what it serves: on record everywhere, whatever the history is.
        pytest.param("rollback", {"to": "v1"}, marks=pytest.mark.long),
        pytest.param("scale", {"instances": {"api": 3}}, marks=pytest.mark.long),
    ],
)
def test_a_host_in_maintenance(playbook: str, variables: dict[str, object]) -> None:
    """On the second host, and yet the first has not moved."""
    with maintenance("app2"):
        refused(playbook, "maintenance", "kernel update, by ada", **variables)


def test_a_canary_that_is_only_foretold() -> None:
    ran = run(*releases.command("canary", release=another()), "--check")
    assert ran.code == 0, ran.output
