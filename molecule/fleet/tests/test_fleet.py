"""A small fleet made beside the test fleet: refused, interrupted, made, reached, published, taken away.

The tests are one story and run in order; whatever happens, the last finalizer leaves nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fleet import ROOT, Ran, docker, interrupt, run, start

HOSTS = ["one", "two"]
PORT = 18022
INVENTORY = f"""\
all:
  vars: {{fleet_name: story, fleet_network: 172.30.73.0/24}}
  hosts:
    one: {{ansible_host: 172.30.73.11, fleet_published_ports: [{{host: {PORT}, container: 22}}]}}
    two: {{ansible_host: 172.30.73.12}}
"""
DIRECTORY = ROOT / ".fleet/story"
OURS = "label=trading.platform.fleet=story"
THEIRS = "label=trading.platform.fleet=test"


@dataclass(frozen=True)
class Story:
    inventory: Path

    @property
    def command(self) -> list[str]:
        return ["ansible-playbook", "playbooks/fleet/up.yml", "-i", str(self.inventory)]

    def up(self) -> Ran:
        return run(*self.command, timeout=90)


def listed(*arguments: str) -> list[str]:
    ran = docker(*arguments)
    assert ran.code == 0, ran.output
    return sorted(ran.output.split())


def standing(label: str) -> dict[str, list[str]]:
    """All that carries a label: containers with the moment of their start, networks, volumes."""
    containers = listed("ps", "-aq", "--no-trunc", "--filter", label)
    return {
        "containers": sorted(f"{one} {inspect(one)['State']['StartedAt']}" for one in containers),
        "networks": listed("network", "ls", "-q", "--filter", label),
        "volumes": listed("volume", "ls", "-q", "--filter", label),
    }


def inspect(container: str) -> Any:
    ran = docker("inspect", container)
    assert ran.code == 0, ran.output
    return json.loads(ran.output)[0]


def ssh(host: str, *words: str) -> Ran:
    return run("ssh", "-F", DIRECTORY / "ssh_config", "-o", "BatchMode=yes", *words[:-1], host, words[-1], timeout=20)


def down() -> Ran:
    return run("bin/down", "story", "--keep-images", timeout=90)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    inventory = tmp_path_factory.mktemp("story")
    (inventory / "hosts.yml").write_text(INVENTORY)
    (inventory / "group_vars").symlink_to(ROOT / "inventories/local/group_vars")
    down()
    beside = standing(THEIRS)
    assert beside["containers"], "no test fleet stands, so nothing could be harmed"
    yield Story(inventory)
    down()
    assert standing(THEIRS) == beside, "the test fleet is not what it was before this story"


@pytest.fixture
def foreign(story: Story) -> Iterator[str]:
    """A container with the name of one of our hosts that somebody else made."""
    image = listed("images", "-q", "trading-fleet/bookworm-baked")[0]
    container = docker("create", "--name", "story-two", image, "true").output.strip()
    yield container
    docker("rm", "--force", container)


@pytest.fixture
def strangers(story: Story) -> Iterator[list[tuple[str, str]]]:
    """A container, a network and a volume that look like ours and are not, and a container of a fleet called story2."""
    image = listed("images", "-q", "trading-fleet/bookworm-baked")[0]
    creations = [
        ("container", ["--name", "story-mine", image, "true"]),
        ("container", ["--name", "story2-one", "--label", "trading.platform.fleet=story2", image, "true"]),
        ("network", ["--subnet", "172.30.74.0/24", "trading-story-mine"]),
        ("volume", ["story-mine"]),
    ]
    made = [(kind, docker(kind, "create", *arguments).output.strip()) for kind, arguments in creations]
    yield made
    for kind, name in made:
        docker(kind, "rm", name)


def test_a_name_that_somebody_else_has_is_refused(story: Story, foreign: str) -> None:
    before = inspect("story-two")
    ran = story.up()
    assert ran.code != 0, ran.output
    message = " ".join(ran.output.split())
    assert "A container named story-two exists and does not belong to fleet story: nothing was changed." in message
    assert "docker rename story-two OTHER" in message
    assert inspect("story-two") == before
    assert before["Id"] == foreign
    assert standing(OURS) == {"containers": [], "networks": [], "volumes": []}
    assert not DIRECTORY.exists()


def test_ctrl_c_after_the_start_of_the_containers(story: Story) -> None:
    process = start(*story.command)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("TASK") and "Make the fleet's directory" in line:
            break
    rest = interrupt(process)
    assert process.returncode != 0, f"the run ended by itself: nothing was interrupted\n{rest}"
    assert len(standing(OURS)["containers"]) == len(HOSTS)


def test_the_next_run_makes_what_is_missing_and_the_one_after_changes_nothing(story: Story) -> None:
    repaired = story.up()
    assert repaired.code == 0, repaired.output
    assert any(repaired.changed.values()), repaired.output
    again = story.up()
    assert again.code == 0, again.output
    assert again.changed == dict.fromkeys(HOSTS, 0), again.output


@pytest.mark.parametrize("host", HOSTS)
def test_ssh_reaches_each_host(story: Story, host: str) -> None:
    assert ssh(host, "hostname; id -un").output.split() == [host, "ansible"]


def test_ssh_refuses_a_host_with_another_key(story: Story, tmp_path: Path) -> None:
    """As if somebody had put another machine at one's address: two's key is pinned for it."""
    pinned = (DIRECTORY / "known_hosts").read_text().splitlines()
    swapped = [line.replace("172.30.73.12", "172.30.73.11") for line in pinned if line.startswith("172.30.73.12")]
    assert swapped
    (tmp_path / "known_hosts").write_text("\n".join(swapped) + "\n")
    ran = ssh("one", "-o", f"UserKnownHostsFile={tmp_path}/known_hosts", "true")
    assert ran.code == 255
    assert "Host key verification failed" in ran.output


def test_ssh_refuses_a_host_that_is_not_pinned(story: Story, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text("")
    ran = ssh("one", "-o", f"UserKnownHostsFile={tmp_path}/known_hosts", "true")
    assert ran.code == 255
    assert "Host key verification failed" in ran.output


def test_a_published_port_is_open_on_this_machine_only(story: Story) -> None:
    ports = inspect("story-one")["NetworkSettings"]["Ports"]
    assert ports["22/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": str(PORT)}]
    published = [binding for bindings in ports.values() for binding in bindings or []]
    assert {binding["HostIp"] for binding in published} == {"127.0.0.1"}
    answer = run("bash", "-c", f"read -t 5 line </dev/tcp/127.0.0.1/{PORT}; echo $line")
    assert answer.output.startswith("SSH-2.0-"), answer.output


@pytest.mark.parametrize(("host", "other"), [("one", "two"), ("two", "one")])
def test_hosts_find_each_other_by_name(story: Story, host: str, other: str) -> None:
    ran = ssh(host, f"getent hosts {other} && ping -c 1 -W 5 {other}")
    assert ran.code == 0, ran.output
    assert f"172.30.73.{11 + HOSTS.index(other)}" in ran.output


def test_down_takes_all_of_ours_and_nothing_else(story: Story, strangers: list[tuple[str, str]]) -> None:
    theirs = standing(THEIRS)
    images = listed("images", "-q")
    assert len(standing(OURS)["containers"]) == len(HOSTS)
    for _ in range(2):
        ran = down()
        assert ran.code == 0, ran.output
        assert standing(OURS) == {"containers": [], "networks": [], "volumes": []}
        assert not DIRECTORY.exists()
        assert standing(THEIRS) == theirs
        assert listed("images", "-q") == images
        for kind, name in strangers:
            assert docker(kind, "inspect", name).code == 0, f"bin/down removed {kind} {name}"
