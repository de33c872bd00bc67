# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases on a host that is made up, killed at every change it makes, and run again."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from ansible_collections.trading.platform.plugins.module_utils._release import plan as plans
from ansible_collections.trading.platform.plugins.module_utils._release.records import Record, ReleaseError, Service
from ansible_collections.trading.platform.plugins.module_utils._release.run import STEADY, Runner
from ansible_collections.trading.platform.plugins.module_utils._release.slots import (
    COLOURS,
    Slot,
    Spec,
    address,
    other,
    specs,
)
from ansible_collections.trading.platform.plugins.module_utils._release.stats import Seen
from ansible_collections.trading.platform.plugins.module_utils._release.steps import Plan
from ansible_collections.trading.platform.plugins.module_utils._release.work import facts
from ansible_collections.trading.platform.plugins.module_utils._release.world import (
    Found,
    Place,
    Routes,
    State,
    World,
    settled,
)

SUBNET = "10.213.0.0/24"
ADDRESSES = {(c, s, n): address(SUBNET, c, s, n) for c in COLOURS for s in range(2) for n in range(1, 5)}
containers = functools.cache(specs)
# What haproxy needs to notice a container that comes or goes, and an application to come up.
NOTICES = 0.5
COMES_UP = 1.0


def record(version: str, kind: str = "good", api: int = 2, memory: str = "256m") -> Record:
    image = f"trading/{kind}@sha256:{version[-1] * 64}"
    return Record(
        version,
        "0" * 7 + version[-1],
        (
            Service("api", image, instances=api, port=3000, ready="/readyz", memory=memory),
            Service("web", image, instances=1, port=8080, ready="/readyz"),
            Service("worker", image, instances=1, ready="/tmp/ready"),
        ),
        created=f"2026-01-0{version[-1]}T00:00:00+00:00",
    )


V1, V2, V3 = record("v1"), record("v2"), record("v3")


class Killed(BaseException):
    """kill -9: nothing of the run is executed any more."""


@dataclass
class Container:
    spec: Spec
    status: str = "created"
    since: float = -100.0
    armed: bool = False
    exit_code: int = 0


class FakeHost:
    """Engine, haproxy and files of a host. Every change is counted, and the one called `kill_at` does not happen."""

    def __init__(self) -> None:
        self.now = 0.0
        self.containers: dict[str, Container] = {}
        self.gone: dict[str, float] = {}
        self.drained: set[Slot] = set()
        self.file, self.runtime = Routes(), Routes()
        self.state_file = State()
        self.records: dict[str, Record] = {}
        self.image_ids: dict[str, str] = {}
        self.image_tags: dict[str, str] = {}
        self.registry_up = True
        self.sessions: dict[str, int] = {}
        self.busy_until = 0.0
        self.changes: list[str] = []
        self.kill_at = -1
        # What happens there: the end of the run, or an error once.
        self.accident: type[BaseException] = Killed
        self.watch = True
        self.crashing: set[str] = set()
        # The least of a release that has to stand, where its numbers are on the move.
        self.floor: dict[str, Record] = {}

    # What a run sees.

    def world(self) -> World:
        return World(
            SUBNET,
            self.state_file,
            self.file,
            self.runtime,
            tuple(self.found()),
            self.seen(),
            dict(self.records),
            dict(self.image_ids),
            dict(self.image_tags),
        )

    def found(self) -> list[Found]:
        return [
            Found(name, c.spec.release, c.spec.colour, c.spec.digest, c.status, c.exit_code, c.armed)
            for name, c in self.containers.items()
        ]

    def age(self, container: Container) -> None:
        """What the application in it does by itself."""
        crashes = "crash" in container.spec.image or container.spec.release in self.crashing
        if crashes and container.status == "running" and self.now - container.since > 0.3:
            container.status, container.exit_code, container.since = "exited", 3, self.now

    def healthy(self, container: Container) -> bool:
        """In truth, whatever haproxy has noticed."""
        spec, for_long = container.spec, self.now - container.since
        return container.status == "running" and "good" in spec.image and for_long >= COMES_UP

    def seen(self) -> dict[Slot, Seen]:
        found = {}
        for colour in COLOURS:
            for index, (service, port) in enumerate((("api", 3000), ("web", 8080))):
                for number in range(1, 5):
                    name, slot = f"trading-{colour}-{service}-{number}", (f"{service}_{colour}", f"slot{number}")
                    container = self.containers.get(name)
                    if container and container.status == "running":
                        up = self.healthy(container) and self.now - container.since >= COMES_UP + NOTICES
                    else:
                        since = container.since if container else -100.0
                        up = self.now - since < NOTICES
                    up = (up or self.now - self.gone.get(name, -100.0) < NOTICES) and self.now >= self.busy_until
                    status = "DOWN" if not up else "DRAIN" if slot in self.drained else "UP"
                    out = slot in self.drained
                    found[slot] = Seen(ADDRESSES[colour, index, number], port, status, taken_out=out)
        return found

    def table(self) -> list[dict[str, str]]:
        return [
            {"pxname": pxname, "svname": "BACKEND", "scur": str(number)} for pxname, number in self.sessions.items()
        ] + [{"pxname": b, "svname": s, "scur": "0"} for b, s in self.seen()]

    def logs(self, name: str, lines: int) -> list[str]:
        return [f"{name} says {n}" for n in range(lines + 5)][-lines:]

    def exists(self, name: str, path: str) -> bool:
        return self.healthy(self.containers[name])

    def ask(self, spec: Spec) -> str:
        return 'answered 503 "warming up"'

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for container in self.containers.values():
            self.age(container)

    # What a run changes.

    def change(self, what: str) -> None:
        if len(self.changes) == self.kill_at:
            self.kill_at = self.kill_at if self.accident is Killed else -1
            raise self.accident(what)
        self.changes.append(what)

    def check(self) -> None:
        """Whoever gets requests now, or would after a restart of haproxy or of the host, is ready for them."""
        if not self.watch:
            return
        for where, routes in (("haproxy", self.runtime), ("the file", self.file)):
            colours = [routes.live] if routes.live else []
            if routes.live and (routes.share or routes.users):
                colours.append(other(routes.live))
            for colour in colours:
                assert self.complete(colour), f"{where} names {colour}, which is not ready, after {self.changes[-3:]}"

    def complete(self, colour: str) -> bool:
        there = {n: c for n, c in self.containers.items() if c.spec.colour == colour}
        return any(
            there
            and all(
                s.name in there and there[s.name].armed and self.healthy(there[s.name])
                for s in containers(self.floor.get(r.name, r), colour, SUBNET)
            )
            for r in self.records.values()
            if any(c.spec.release == r.name for c in there.values())
        )

    def pull(self, image: str) -> None:
        if image in self.image_ids:
            return
        if not self.registry_up:
            raise ReleaseError(f"cannot pull {image}: the registry does not answer")
        self.change(f"pull {image}")
        self.image_ids[image] = f"id of {image}"

    def tag(self, image: str, tag: str) -> None:
        self.change(f"tag {tag}")
        self.image_tags[tag] = self.image_ids[image]

    def start(self, specs: Sequence[Spec]) -> None:
        for spec in specs:
            self.start_one(spec)

    def start_one(self, spec: Spec) -> None:
        if spec.name not in self.containers:
            self.change(f"create {spec.name}")
            addresses = [c.spec.address for c in self.containers.values()]
            assert spec.address not in addresses, f"{spec.address} is taken"
            assert spec.image in self.image_ids, f"{spec.image} is not here"
            self.containers[spec.name] = Container(spec, since=self.now)
            self.check()
        if self.containers[spec.name].status != "running":
            self.change(f"start {spec.name}")
            self.containers[spec.name].status = "running"
            self.containers[spec.name].since = self.now
            self.check()

    def arm(self, name: str) -> None:
        self.change(f"arm {name}")
        self.containers[name].armed = True
        self.check()

    def stop(self, names: Sequence[str]) -> None:
        for name in names:
            self.change(f"stop {name}")
            self.containers[name].status, self.containers[name].since = "exited", self.now
            self.gone[name] = self.now
            self.check()

    def remove(self, name: str) -> None:
        self.change(f"remove {name}")
        del self.containers[name]
        self.check()

    def set_state(self, slot: Slot, state: str) -> None:
        self.change(f"{state} {slot}")
        (self.drained.add if state == "drain" else self.drained.discard)(slot)

    def write_state(self, state: State) -> None:
        self.change("state")
        self.state_file = state

    def write_record(self, record: Record) -> None:
        self.change(f"record {record.name}")
        self.records[record.name] = record

    def write_routes(self, routes: Routes) -> None:
        if self.file.users != routes.users:
            self.change("users file")
            self.file = replace(self.file, users=routes.users)
            self.check()
        if self.file != routes:
            self.change("routes file")
            self.file = routes
            self.check()

    def apply(self, routes: Routes) -> None:
        if self.runtime.users != routes.users:
            self.change("users")
            self.runtime = replace(self.runtime, users=routes.users)
            self.check()
        if self.runtime != routes:
            self.change("routes")
            self.runtime = routes
            self.check()

    def forget(self, release: str) -> None:
        self.change(f"forget {release}")
        self.records.pop(release, None)
        self.image_tags = {tag: i for tag, i in self.image_tags.items() if not tag.endswith(f":{release}")}

    # Accidents.

    def restart_haproxy(self) -> None:
        self.runtime, self.drained = self.file, set()
        self.check()

    def reboot(self) -> None:
        for container in self.containers.values():
            container.status = "running" if container.armed and container.status == "running" else "exited"
            container.since = self.now - 100
        self.restart_haproxy()


Action = Callable[[World], Plan]


def run(host: FakeHost, action: Action, kill_at: int = -1, drain_timeout: float = 30) -> Runner:
    host.changes, host.kill_at = [], kill_at
    runner = Runner(host, host, host, sleep=host.sleep, clock=lambda: host.now, drain_timeout=drain_timeout)
    runner.run(action(host.world()))
    return runner


def deploy(record: Record, keep_other: bool = False, back: bool = False) -> Action:
    return lambda world: plans.live(world, record, keep_other, 3, back)


def warm(record: Record) -> Action:
    return lambda world: plans.warmed(world, record)


def share(record: Record, percent: int, users: Sequence[str] = ()) -> Action:
    return lambda world: plans.shared(world, record, percent, users)


def withdraw(world: World) -> Plan:
    return plans.withdrawn(world, None)


def scale(**instances: int) -> Action:
    return lambda world: plans.scaled(world, instances)


def standing(*actions: Action) -> FakeHost:
    host = FakeHost()
    for action in actions:
        run(host, action)
        host.sleep(5)
    return host


def summary(host: FakeHost) -> dict[str, object]:
    """How a host ends, but for the colours."""
    here = settled(host.world()).state
    assert here == host.state_file
    assert host.file == host.runtime
    assert host.drained == set()
    assert all(c.armed and c.status == "running" for c in host.containers.values())
    return {
        "live": here.live and here.live.release,
        "other": here.other and (here.other.release, here.other.purpose),
        "history": here.history,
        "share": (host.file.share, host.file.users),
        "serving": host.file.live == (here.live and here.live.colour),
        "containers": sorted(f"{c.spec.release} {c.spec.service} {c.spec.instance}" for c in host.containers.values()),
        "records": sorted(host.records),
        "instances": {n: [s.instances for s in r.services] for n, r in host.records.items()},
    }


LIVE = (deploy(V1),)
CANARY = (*LIVE, warm(V2), share(V2, 20, ["tester"]))
BOTH = (*LIVE, deploy(V2, keep_other=True))
STORIES: dict[str, tuple[tuple[Action, ...], Action]] = {
    "first deploy": ((), deploy(V1)),
    "second deploy": (LIVE, deploy(V2)),
    "fourth deploy, prunes": ((*LIVE, deploy(V2), deploy(V3)), deploy(record("v4"))),
    "an older one deployed": ((*LIVE, deploy(V2)), deploy(V1)),
    "rollback": ((*LIVE, deploy(V2)), deploy(V1, back=True)),
    "rollback by two": ((*LIVE, deploy(V2), deploy(V3)), deploy(V1, back=True)),
    "back to the standby": (BOTH, deploy(V1, keep_other=True, back=True)),
    "same name, more memory": (LIVE, deploy(record("v1", memory="512m"))),
    "warm up": (LIVE, warm(V2)),
    "warm up instead of another": ((*LIVE, warm(V2)), warm(V3)),
    "first share": ((*LIVE, warm(V2)), share(V2, 5, ["tester"])),
    "larger share": (CANARY, share(V2, 50)),
    "canary withdrawn": (CANARY, withdraw),
    "canary promoted": (CANARY, deploy(V2)),
    "canary of the same name made anew": (CANARY, warm(record("v2", memory="512m"))),
    "switch, old one kept": (LIVE, deploy(V2, keep_other=True)),
    "switch back": (BOTH, deploy(V1, keep_other=True)),
    "switch for good": (BOTH, deploy(V2)),
    "third release over a standby": (BOTH, deploy(V3)),
    "scale up": (LIVE, scale(api=4)),
    "scale down": (LIVE, scale(api=1)),
    "scale both ways": (LIVE, scale(api=1, worker=2)),
    "deploy of other numbers": (LIVE, deploy(record("v1", api=3))),
}
FLOORS = {
    "scale up": V1,
    "scale down": record("v1", api=1),
    "scale both ways": record("v1", api=1),
    "deploy of other numbers": V1,
}


def kills(story: str) -> Iterator[tuple[FakeHost, Action, int, dict[str, object]]]:
    """The host after a kill before each change that the story makes."""
    before, action = STORIES[story]
    floor = {FLOORS[story].name: FLOORS[story]} if story in FLOORS else {}
    whole = standing(*before)
    whole.floor = floor
    run(whole, action)
    count, end = len(whole.changes), summary(whole)
    assert count > 0
    for kill_at in range(count):
        host = standing(*before)
        host.floor = floor
        with pytest.raises(Killed):
            run(host, action, kill_at)
        yield host, action, kill_at, end


@pytest.mark.parametrize("story", STORIES)
def test_killed_anywhere_and_run_again(story: str) -> None:
    for host, action, kill_at, end in kills(story):
        run(host, action)
        assert summary(host) == end, f"killed before change {kill_at}"
        run(host, action)
        assert host.changes == [], "the second run touches nothing"


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("accident", [FakeHost.restart_haproxy, FakeHost.reboot])
def test_killed_and_then_an_accident(story: str, accident: Callable[[FakeHost], None]) -> None:
    for host, action, kill_at, end in kills(story):
        accident(host)
        host.sleep(5)
        run(host, action)
        assert summary(host) == end, f"killed before change {kill_at}"


@pytest.mark.parametrize("story", ["second deploy", "canary promoted", "switch back", "scale both ways"])
def test_killed_twice(story: str) -> None:
    """Also where the second run is killed at its every change."""
    for host, action, kill_at, end in kills(story):
        probe = 0
        while True:
            again = copied(host)
            try:
                run(again, action, probe)
            except Killed:
                run(again, action)
                assert summary(again) == end, f"killed before changes {kill_at} and {probe}"
                probe += 1
            else:
                break


@pytest.mark.parametrize("story", STORIES)
def test_a_full_disk_is_put_back_like_any_failure(story: str) -> None:
    before, action = STORIES[story]
    floor = {FLOORS[story].name: FLOORS[story]} if story in FLOORS else {}
    whole = standing(*before)
    whole.floor = floor
    run(whole, action)
    for nth in range(len(whole.changes)):
        ends = []
        for accident in (ReleaseError, OSError):
            host = standing(*before)
            host.accident, host.floor = accident, floor
            with contextlib.suppress(ReleaseError):
                run(host, action, nth)
            ends.append((host.state_file, host.file, host.runtime, host.records, sorted(host.containers), host.changes))
        assert ends[0] == ends[1], f"at change {nth}"


def copied(host: FakeHost) -> FakeHost:
    copy = FakeHost()
    copy.__dict__.update(host.__dict__)
    copy.containers = {name: replace(container) for name, container in host.containers.items()}
    copy.gone, copy.drained = dict(host.gone), set(host.drained)
    copy.records, copy.image_ids, copy.image_tags = dict(host.records), dict(host.image_ids), dict(host.image_tags)
    return copy


@pytest.mark.parametrize("story", ["second deploy", "switch, old one kept", "same name, more memory"])
def test_killed_and_then_back_to_the_old_one(story: str) -> None:
    for host, _action, _kill_at, _end in kills(story):
        run(host, deploy(V1))
        end = summary(host)
        assert (end["live"], end["other"], end["serving"]) == (V1.name, None, True)


@pytest.mark.parametrize("story", STORIES)
def test_killed_after_the_registry_went_away(story: str) -> None:
    """With the images here nothing asks the registry again."""
    for host, action, _kill_at, end in kills(story):
        host.registry_up = False
        before = dict(host.containers)
        if images_of(action(host.world())) - set(host.image_ids):
            with pytest.raises(ReleaseError, match="the registry does not answer"):
                run(host, action)
            assert host.containers == before
        else:
            run(host, action)
            assert summary(host) == end


def test_killed_in_the_switch_and_the_new_set_dies() -> None:
    """The file names it, haproxy never did: requests stay where they are until it is up again."""
    host = standing(*LIVE)
    run(whole := copied(host), deploy(V2))
    with pytest.raises(Killed):
        run(host, deploy(V2), whole.changes.index("routes"))
    assert (host.file.live, host.runtime.live) == ("green", "blue")
    host.watch = False
    host.containers["trading-green-api-1"].status = "exited"
    host.containers["trading-green-api-1"].since = host.now
    host.sleep(5)
    run(host, deploy(V2))
    assert host.changes[0] == "routes file"
    assert host.changes.index("start trading-green-api-1") < host.changes.index("routes")
    assert summary(host)["live"] == V2.name


def test_killed_in_a_drain_and_then_scaled_up() -> None:
    host = standing(*LIVE)
    with pytest.raises(Killed):
        run(host, scale(api=1), 2)
    assert host.changes[-1] == "drain ('api_blue', 'slot2')"
    run(host, scale(api=2))
    assert summary(host)["live"] == V1.name


def test_what_takes_requests_cannot_be_scaled_to_nothing() -> None:
    host = standing(*LIVE)
    with pytest.raises(ReleaseError, match=r"nothing was touched: api takes requests, .*maintenance\.yml"):
        run(host, scale(api=0, worker=0))
    assert host.changes == []
    run(host, scale(worker=0))
    assert "trading-blue-worker-1" not in host.containers


def images_of(plan: Plan) -> set[str]:
    return {image for step in plan.steps if step.kind == "pull" for _tag, image in step.images}


def test_a_slot_that_is_down_before_it_is_let_in_again_serves_later() -> None:
    """Of one that is down haproxy does not say that it drains."""

    class Slow(FakeHost):
        def remove(self, name: str) -> None:
            super().remove(name)
            self.sleep(NOTICES)

    host = standing(*LIVE)
    host.watch = False
    run(host, scale(api=3))
    host.__class__ = Slow
    run(host, scale(api=2))
    host.__class__ = FakeHost
    run(host, scale(api=3))
    assert host.drained == set()


def test_same_again_touches_nothing() -> None:
    host = standing(*LIVE)
    before = {name: container.since for name, container in host.containers.items()}
    runner = run(host, deploy(V1))
    assert (host.changes, runner.outcome.changed) == ([], False)
    assert {name: container.since for name, container in host.containers.items()} == before
    assert host.now < 5 + 60


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("name", ["trading-blue-api-2", "trading-blue-worker-1"])
def test_a_stopped_or_missing_container_is_repaired(name: str, kept: bool) -> None:
    host = standing(*LIVE)
    host.watch = False
    if kept:
        host.containers[name].status, host.containers[name].since = "exited", host.now
    else:
        del host.containers[name]
        host.gone[name] = host.now
    run(host, deploy(V1))
    assert host.changes == [*([] if kept else [f"create {name}"]), f"start {name}", *([] if kept else [f"arm {name}"])]
    assert summary(host)["live"] == V1.name


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("crash", "container trading-green-api-1 exited with code 3. Its last 20 log lines:"),
        ("never", 'container trading-green-api-1 was not ready within 60 s: /readyz answered 503 "warming up"'),
    ],
)
@pytest.mark.parametrize("before", [LIVE, BOTH])
def test_a_bad_release_is_put_back(kind: str, says: str, before: tuple[Action, ...]) -> None:
    host = standing(*before)
    live, bad = host.state_file.live, record("v3", kind)
    says = says if live and live.colour == "blue" else says.replace("green", "blue")
    with pytest.raises(ReleaseError) as failure:
        run(host, deploy(bad))
    assert says in str(failure.value)
    assert "The set that serves was not touched" in str(failure.value)
    assert failure.value.details["logs"][-1].endswith("says 24")
    assert len(failure.value.details["logs"]) == 20
    end = summary(host)
    assert (host.state_file.live, end["other"], end["serving"]) == (live, None, True)
    assert not any(c.spec.release == bad.name for c in host.containers.values())


def test_a_canary_that_died_is_withdrawn_when_promoted() -> None:
    host = standing(*CANARY)
    host.watch = False
    host.crashing = {V2.name}
    host.sleep(1)
    with pytest.raises(ReleaseError, match="exited with code 3"):
        run(host, deploy(V2))
    end = summary(host)
    assert (end["live"], end["other"], end["share"]) == (V1.name, None, (0, ()))


def test_websockets_are_waited_for_up_to_the_limit() -> None:
    host = standing(*LIVE)
    host.sessions = {"api_blue": 3, "api_green": 9, "web_blue": 0}
    runner = run(host, deploy(V2), drain_timeout=30)
    assert runner.outcome.measured["drain_s"] == pytest.approx(30, abs=0.5)
    assert "3 requests or WebSockets outlasted 30 s" in runner.outcome.lines
    host.sessions = {}
    assert (run(host, deploy(V1), drain_timeout=30).outcome.measured["drain_s"] or 99) < 1


@pytest.mark.parametrize(("busy", "says"), [(35.0, ""), (999.0, "Nothing was put back. Run the same again")])
def test_a_check_that_fails_while_the_old_set_drains_is_waited_for(busy: float, says: str) -> None:
    host = standing(*LIVE, deploy(V2, keep_other=True))
    host.sessions = {"api_blue": 3}

    def drained(seconds: float) -> None:
        host.busy_until = began + busy
        FakeHost.sleep(host, seconds)

    began, host.sleep = host.now, drained  # type: ignore[method-assign]
    with pytest.raises(ReleaseError, match=says) if says else contextlib.nullcontext():
        run(host, deploy(V2), drain_timeout=30)
    assert host.world().ready("green") is not bool(says)


@pytest.mark.parametrize(("ready", "stands"), [(None, True), ("/tmp/ready", False)])
def test_only_what_cannot_say_that_it_is_well_has_to_stand(ready: str | None, stands: bool) -> None:
    silent = replace(V2, services=(replace(V2.services[2], ready=ready),))
    took = run(standing(*LIVE), deploy(silent)).outcome.measured["ready_s"] or 0
    assert (took >= STEADY) is stands


def test_registry_down_before_anything_moved() -> None:
    host = standing(*LIVE)
    host.registry_up = False
    with pytest.raises(ReleaseError, match="the registry does not answer"):
        run(host, deploy(V2))
    assert not [change for change in host.changes if change.split()[0] in ("create", "stop", "remove", "routes")]
    run(host, deploy(V1))
    assert host.changes == []


def test_pruning_never_fails() -> None:
    host = standing(*LIVE, deploy(V2), deploy(V3))

    class Stubborn(FakeHost):
        def forget(self, release: str) -> None:
            raise ReleaseError("the image is in use")

    host.__class__ = Stubborn
    runner = run(host, deploy(record("v4")))
    assert runner.outcome.warnings == [f"{V1.name} could not be forgotten: the image is in use"]
    assert host.state_file.live is not None
    assert host.state_file.live.release.startswith("v4-")


@pytest.mark.parametrize(
    ("before", "action", "says"),
    [
        (CANARY, deploy(V3), "v2-00000002 is a canary on this host. Promote or withdraw it"),
        (CANARY, deploy(V1), "withdraw_canary=true"),
        (CANARY, warm(V3), "is a canary"),
        (LIVE, share(V2, 10), "v2-00000002 is not warm on this host, beside the live set is nothing"),
        (LIVE, lambda world: plans.withdrawn(world, V1.name), "v1-00000001 is live"),
        ((), scale(api=2), "nothing is live on this host"),
        (LIVE, scale(nonsense=2), "has no service nonsense; it has api, web, worker"),
    ],
)
def test_refusals(before: tuple[Action, ...], action: Action, says: str) -> None:
    host = standing(*before)
    with pytest.raises(ReleaseError) as refusal:
        run(host, action)
    assert says in str(refusal.value)
    assert host.changes == []


@pytest.mark.parametrize(
    ("before", "action", "previous"),
    [
        ((deploy(V1), deploy(V2)), deploy(V1, back=True), None),
        ((deploy(V1), deploy(V2), deploy(V3)), deploy(V2, back=True), V1.name),
        ((deploy(V1), deploy(V2), deploy(V3)), deploy(V1, back=True), None),
        # Forwards, to what is older by its name only.
        ((deploy(V1), deploy(V2)), deploy(V1), V2.name),
        # One that never served is no way back, so nothing is newer than it.
        ((deploy(V1), deploy(V2)), deploy(V3, back=True), V2.name),
        ((deploy(V1), deploy(V2, keep_other=True)), deploy(V1, keep_other=True, back=True), None),
        ((deploy(V1), deploy(V2)), deploy(V2, back=True), V1.name),
    ],
)
def test_what_was_gone_back_from_is_not_the_way_back(
    before: tuple[Action, ...], action: Action, previous: str | None
) -> None:
    host = standing(*before, action)
    assert facts(host.world())["previous"] == previous


def test_state_file_lost() -> None:
    host = standing(*LIVE)
    host.state_file = State()
    run(host, deploy(V1))
    assert host.changes == ["state"]
    assert host.state_file.live == Place(V1.name, "blue")


@pytest.mark.parametrize("wanted", [V1, V2])
def test_routes_file_lost(wanted: Record) -> None:
    """A role that lays it out anew must not switch the site off, nor a release take the set that served for its own."""
    host = standing(*LIVE)
    host.file = Routes()
    host.restart_haproxy()
    run(host, deploy(wanted))
    assert host.changes[:2] == ["routes file", "routes"]
    assert summary(host)["live"] == wanted.name


def test_a_canary_promoted_with_the_old_set_kept_leaves_no_share() -> None:
    host = standing(*CANARY)
    run(host, deploy(V2, keep_other=True))
    assert host.runtime == host.file == Routes("green")


@pytest.mark.parametrize(
    "before", [LIVE, CANARY, BOTH, (*LIVE, deploy(V2)), (*LIVE, deploy(V2), warm(V3), share(V3, 20))]
)
def test_a_host_that_lost_all_but_its_records_serves_what_served_last(before: tuple[Action, ...]) -> None:
    """As role app's entry point come_back does it. Requests come only once the set is ready."""
    lost, host = standing(*before), FakeHost()
    host.state_file, host.records = lost.state_file, lost.records
    seen = facts(host.world())
    assert (seen["live"], seen["previous"]) == (None, facts(lost.world())["live"]["release"])
    if (seen["other"] or {}).get("purpose") == "canary":
        run(host, withdraw)
    run(host, deploy(host.records[str(seen["previous"])]))
    assert (summary(host)["live"], summary(host)["other"]) == (seen["previous"], None)
