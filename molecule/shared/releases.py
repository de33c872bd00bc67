"""What the stories of releases see of the app hosts, and the commands by which an operator moves them."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import yaml
from fleet import INVENTORY, Ran, inside, run, start

HOSTS = ("app1", "app2")
PLACE = "/var/lib/trading-platform/app"
NOTHING = json.dumps({"live": None, "other": None})
REGISTRY = "docker-registry"
# Tasks of deploy.yml, as its output names them.
PLAN, PULL, MIGRATE, SWAP, SWAPPED, SWAP_2 = (
    "Plan | Say what comes",
    "Prepare | Pull everywhere",
    "Prepare | Migrate the database",
    "Swap | app1",
    "Swap | Remember what it returned",
    "Swap | app2",
)


def command(name: str, **variables: Any) -> list[str]:
    """A playbook of playbooks/ by its name, with extra variables."""
    # Prometheus needs most of a minute for a word on a release; it is asked where a test hands in the questions.
    if name in ("canary", "deploy"):
        variables = {"app_gate_questions": [], **variables}
    given = ["-e", json.dumps(variables)] if variables else []
    return ["ansible-playbook", f"playbooks/{name}.yml", "-i", str(INVENTORY), *given]


def operate(name: str, timeout: int = 300, **variables: Any) -> Ran:
    return run(*command(name, **variables), timeout=timeout)


@contextlib.contextmanager
def arrived_at(task: str, name: str, **variables: Any) -> Iterator[subprocess.Popen[str]]:
    """A playbook that has just come to a task; it goes on meanwhile. Its output until then is lost, the rest is not."""
    process = start(*command(name, **variables))
    assert process.stdout
    printed = []
    try:
        for line in process.stdout:
            printed.append(line)
            if line.startswith("TASK") and task in line:
                break
        else:
            raise AssertionError(f"the run never came to {task}\n{''.join(printed)}")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def well(name: str, **variables: Any) -> Ran:
    ran = operate(name, **variables)
    assert ran.code == 0, ran.output
    return ran


def refused(name: str, *says: str, **variables: Any) -> Ran:
    """It ends with an error, and says why."""
    ran = operate(name, **variables)
    assert ran.code != 0, ran.output
    for text in says:
        assert re.search(text, ran.folded, re.IGNORECASE), f"{text} is not in\n{ran.output}"
    return ran


def state(host: str) -> dict[str, Any]:
    """A host before its first release has no file."""
    told: dict[str, Any] = json.loads(inside(host, f"cat {PLACE}/state.json 2>/dev/null || echo '{NOTHING}'"))
    return told


def live_colour(host: str) -> str:
    return dict(line.split() for line in inside(host, f"cat {PLACE}/routes.map").splitlines())["live"]


def containers(host: str) -> dict[str, dict[str, Any]]:
    """Every container of any release, also those that do not run, as the engine tells it."""
    look = "docker ps --all --quiet --filter label=trading.platform.release | xargs -r docker inspect"
    said = inside(host, look).strip()
    return {one["Name"].lstrip("/"): one for one in json.loads(said or "[]")}


def label(one: dict[str, Any], name: str) -> str:
    return str(one["Config"]["Labels"][f"trading.platform.{name}"])


def starts() -> dict[str, dict[str, str]]:
    """When each container of each host started: equal before and after means that none was touched."""
    return {host: {name: one["State"]["StartedAt"] for name, one in containers(host).items()} for host in HOSTS}


def releases() -> dict[str, str]:
    """What each host serves, by its own record."""
    return {host: str((state(host)["live"] or {}).get("release")) for host in HOSTS}


def is_on(version: str) -> bool:
    return all(name == version or name.startswith(f"{version}-") for name in releases().values())


def current() -> str:
    """The version that serves, without its configuration's part of the name."""
    return releases()["app1"].split("-")[0]


def another() -> str:
    """A version that is not the one that serves."""
    return "v2" if is_on("v1") else "v1"


def one_set(version: str) -> None:
    """Both hosts serve this release, from one set, all of which runs, and nothing else is left."""
    assert is_on(version), releases()
    for host in HOSTS:
        told, colour = state(host), live_colour(host)
        assert (told["live"]["colour"], told["other"]) == (colour, None), (told, colour)
        found = containers(host)
        assert found
        assert {label(one, "colour") for one in found.values()} == {colour}, list(found)
        assert {label(one, "release") for one in found.values()} == {told["live"]["release"]}
        assert all(one["State"]["Running"] for one in found.values()), found


def converge(version: str) -> None:
    """A known beginning, whatever a test before left."""
    if not is_on(version) or any(state(host)["other"] for host in HOSTS):
        well("deploy", release=version, withdraw_canary=True)
    one_set(version)


def any_release() -> None:
    """What stands on the application takes whatever serves."""
    if "None" in releases().values():
        converge("v1")


def inventory() -> dict[str, Any]:
    """What it says of the application."""
    return dict(yaml.safe_load((INVENTORY / "group_vars/all/app.yml").read_text()))


def gate(hold: str) -> dict[str, Any]:
    """The inventory's questions for Prometheus, with time for four scrapes; `hold` is what the playbook calls that."""
    return {"app_gate_questions": inventory()["app_gate_questions"], "app_gate_min_requests": 20, hold: 40}


@contextlib.contextmanager
def maintenance(host: str) -> Iterator[None]:
    inside(host, f"echo 'kernel update, by ada' > {PLACE}/maintenance")
    try:
        yield
    finally:
        inside(host, f"rm {PLACE}/maintenance")


def environment(**more: str) -> dict[str, str]:
    """The inventory's app_env, with some of it another."""
    return {**inventory()["app_env"], **more}
