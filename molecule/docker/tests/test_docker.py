"""FAULTS 21: the engine restarts and its containers go on. And who reaches a container, from where.

Containers are made by hand from an image of links only: the host's own programs are mounted into them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fleet import Ran, address, container, docker, inside, site

APP = ["app1", "app2"]
PORT = 8999
METRICS = "127.0.0.1:9323"
IMAGE = "story-links"
LINKS = "cd $(mktemp -d) && mkdir usr tmp && ln -s usr/bin usr/lib usr/lib64 usr/sbin . && tar c . | docker import - "
SERVER = f"--volume /usr:/usr:ro {IMAGE} python3 -m http.server 8000 --directory /tmp"
NETWORK = "story-open"


def on(host: str, script: str) -> Ran:
    """What a shell on the host says, also when it fails; no command of this story needs longer."""
    return docker("exec", container(host), "timeout", "60", "sh", "-c", script)


def clean(host: str) -> None:
    inside(host, "docker ps -aq --filter name=^/story- | xargs -r docker rm --force")
    on(host, f"docker network rm {NETWORK}")
    on(host, f"docker rmi {IMAGE}")


@pytest.fixture(scope="module", params=APP, autouse=True)
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    name: str = request.param
    clean(name)
    inside(name, LINKS + IMAGE)
    inside(name, f"docker run --detach --name story-server --publish {PORT}:8000 {SERVER}")
    yield name
    clean(name)


def inspected(host: str, what: str, *names: str) -> Any:
    return json.loads(inside(host, f"docker {what} inspect {' '.join(names)}"))[0]


def internal(host: str, name: str = "story-server") -> str:
    networks = inspected(host, "container", name)["NetworkSettings"]["Networks"]
    return str(next(iter(networks.values()))["IPAddress"])


def reaches(host: str, target: str, port: int, within: str = "") -> bool:
    """Whether a connection opens within two seconds, from the host or from a container of it with these options."""
    attempt = f"python3 -c \"import socket; socket.create_connection(('{target}', {port}), 2)\""
    return (
        on(host, f"docker run --rm --volume /usr:/usr:ro {within} {IMAGE} {attempt}" if within else attempt).code == 0
    )


def test_what_daemon_json_asks_for_is_in_force(host: str) -> None:
    info = json.loads(inside(host, "docker info --format '{{json .}}'"))
    assert info["LiveRestoreEnabled"]
    assert info["Driver"] == "overlay2", "the layers do not lie on the volume"
    assert info["DefaultAddressPools"] == [{"Base": "10.213.128.0/17", "Size": 24}]
    assert inspected(host, "network", "bridge")["IPAM"]["Config"][0]["Subnet"] == "10.213.128.0/24"
    inside(host, f"docker network create {NETWORK}")
    assert inspected(host, "network", NETWORK)["IPAM"]["Config"][0]["Subnet"] == "10.213.129.0/24"
    assert inside(host, "docker exec story-server grep NoNewPrivs /proc/1/status").split() == ["NoNewPrivs:", "1"]


def test_containers_go_on_while_the_engine_restarts(host: str) -> None:
    before = inspected(host, "container", "story-server")["State"]
    engine = inside(host, "systemctl show --property MainPID docker")
    inside(host, "systemctl restart docker")
    assert inside(host, "systemctl show --property MainPID docker") != engine
    after = inspected(host, "container", "story-server")["State"]
    assert (after["StartedAt"], after["Pid"]) == (before["StartedAt"], before["Pid"])
    assert reaches(host, internal(host), 8000)


def test_only_root_talks_to_the_engine(host: str) -> None:
    # It holds the ports that containers publish, and talks on none of them; on one this host is told numbers.
    listening = inside(host, "ss --listening --tcp --numeric --processes").splitlines()
    known = (f":{PORT} ", f" {METRICS} ")
    assert [line for line in listening if "dockerd" in line and not any(place in line for place in known)] == []
    assert "404" in inside(host, f"curl -s -o /dev/null -w '%{{http_code}}' http://{METRICS}/containers/json")
    assert inside(host, "stat -c '%a %U:%G' /run/docker.sock").split() == ["600", "root:root"]
    member = "setpriv --reuid nobody --regid docker --clear-groups docker ps"
    ran = on(host, member)
    assert ran.code != 0, ran.output
    assert "permission denied" in ran.output


def test_containers_do_not_reach_each_other(host: str) -> None:
    assert reaches(host, internal(host), 8000)
    assert not reaches(host, internal(host), 8000, "--network bridge")
    # The same question where a network allows it: it is the setting that answered, not the way of asking.
    inside(host, f"docker network inspect {NETWORK} >/dev/null 2>&1 || docker network create {NETWORK}")
    inside(host, f"docker run --detach --name story-neighbour --network {NETWORK} {SERVER}")
    assert reaches(host, internal(host, "story-neighbour"), 8000, f"--network {NETWORK}")


def test_a_container_reaches_its_host_only_where_that_is_opened(host: str) -> None:
    gateway = inspected(host, "network", "bridge")["IPAM"]["Config"][0]["Gateway"]
    inside(host, "systemd-run --quiet --collect --unit=story-listener python3 -m http.server 8998")
    try:
        assert reaches(host, gateway, 22, "--network bridge")
        assert not reaches(host, gateway, 8998, "--network bridge")
    finally:
        inside(host, "systemctl stop story-listener")


def test_logs_go_to_the_journal_which_has_a_limit(host: str) -> None:
    inside(host, f"docker run --name story-talker --volume /usr:/usr:ro {IMAGE} echo story-said-so")
    assert "story-said-so" in inside(host, "journalctl --no-pager CONTAINER_NAME=story-talker")
    assert inspected(host, "container", "story-talker")["LogPath"] == ""
    assert re.search(
        r"^SystemMaxUse=\d", inside(host, "systemd-analyze cat-config systemd/journald.conf"), re.MULTILINE
    )


@contextmanager
def opened(host: str, *sources: str) -> Iterator[None]:
    openings = [
        {"name": "ssh", "port": 22, "proto": "tcp", "sources": ["any"]},
        {"name": "story", "port": PORT, "proto": "tcp", "sources": sources},
    ]
    try:
        ran = site("--limit", host, "--tags", "firewall", "-e", json.dumps({"base_firewall_openings": openings}))
        assert ran.code == 0, ran.output
        yield
    finally:
        back = site("--limit", host, "--tags", "firewall")
    assert back.code == 0, back.output


def test_a_published_port_is_reachable_only_where_the_inventory_opens_it(host: str) -> None:
    outside, own = address(host), internal(host)
    assert reaches(host, own, 8000)
    inside("lb1", f"ip route replace {own} via {outside}")
    try:
        assert not reaches("lb1", outside, PORT)
        with opened(host, address("lb1")):
            assert reaches("lb1", outside, PORT)
            assert not reaches("lb2", outside, PORT)
            # Past the publication, by the container's own address, nobody comes in.
            assert not reaches("lb1", own, 8000)
        assert not reaches("lb1", outside, PORT)
    finally:
        inside("lb1", f"ip route del {own} via {outside}")
