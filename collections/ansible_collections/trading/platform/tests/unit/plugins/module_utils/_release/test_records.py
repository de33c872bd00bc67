# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records, names, addresses: what is accepted, and what a refusal says."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._release import records, slots
from ansible_collections.trading.platform.plugins.module_utils._release.records import Record, ReleaseError, Service

IMAGE = "registry:5000/trading/app@sha256:" + "a" * 64
API = {"name": "api", "image": IMAGE, "port": 3000, "ready": "/readyz"}


def raw(service: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"version": "v1", "configuration": "1a2b3c4d", "services": [API | (service or {})]} | more


def test_a_record_comes_back_as_it_went_in() -> None:
    told = raw(
        {"env": {"B": "2", "A": "1"}, "secrets": ["key"], "command": ["api"], "health": ["ask"]},
        created="2026-01-01T00:00:00+00:00",
    )
    record = records.read_record(told)
    assert record.name == "v1-1a2b3c4d"
    assert records.read_record(record.plain()) == record


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("v1", "a release is a mapping"),
        ({"version": "v1", "configuration": "1a2b3c4d", "services": []}, "a list of services"),
        (raw(version="../v1"), "version has to be letters, digits"),
        (raw(version="v 1"), "not 'v 1'"),
        (raw(version="x" * 64), "63 at most"),
        (raw(version=1), "not 1"),
        (raw(configuration="1A2B3C4D"), "configuration has to be 8 hex digits"),
        (raw(name="v2-1a2b3c4d"), "name 'v2-1a2b3c4d' is not <version>-<configuration>"),
        (raw({"image": "registry:5000/trading/app:v1"}), "image has to be by digest"),
        (raw({"image": "app@sha256:abc"}), "image has to be by digest"),
        (raw({"name": "Api"}), "name has to be lower-case"),
        (raw({"instances": 9}), "instances has to be 0 to 8, not 9"),
        (raw({"instances": True}), "instances has to be 0 to 8"),
        (raw({"port": 0}), "port has to be a port"),
        (raw({"ready": None}), "has a port, so it needs the path ready"),
        (raw({"ready": "readyz"}), "ready has to be a path"),
        (raw({"env": {"A": 1}}), "env has to be strings by name"),
        (raw({"secrets": ["../shadow"]}), "secrets has to be a list of file names"),
        (raw({"secrets": "key"}), "secrets has to be"),
        (raw({"command": "api"}), "command has to be a list"),
        (raw({"memory": "256"}), "memory has to be such as 256m"),
        (raw({"cpus": 0}), "cpus has to be"),
        (raw({"stop_timeout": 0}), "stop_timeout has to be"),
        (raw({"colour": "red"}), "colour is unknown"),
        (raw(services=[API, API]), "service api is there twice"),
        (raw(services=[API | {"name": f"s{n}"} for n in range(9)]), "9 services, at most 8"),
        (raw(services=["api"]), "a service is a mapping"),
    ],
)
def test_malformed(told: Any, says: str) -> None:
    with pytest.raises(ReleaseError) as refusal:
        records.read_record(told)
    assert str(refusal.value).startswith("malformed release: ")
    assert says in str(refusal.value)


def compose(version: str = "v1", **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "services": [{"name": "api", "image": "app", "port": 3000, "ready": "/readyz", "secrets": ["key"]}],
        "images": {"app": IMAGE},
        "env": {"LOG": "info"},
        "secrets": {"key": "one"},
    }
    return records.compose(version=version, **(given | more))


@pytest.mark.parametrize(
    ("more", "same"),
    [
        ({}, True),
        ({"images": {"app": IMAGE.replace("a" * 64, "b" * 64)}}, True),
        ({"env": {"LOG": "debug"}}, False),
        ({"secrets": {"key": "two"}}, False),
    ],
)
def test_configuration_names_what_is_configured(more: dict[str, Any], same: bool) -> None:
    assert (compose(**more)["configuration"] == compose()["configuration"]) is same


def test_a_composed_record_holds_no_secret() -> None:
    made = compose(secrets={"key": "canary-secret"})
    assert "canary-secret" not in str(made)
    assert made["services"][0]["image"] == IMAGE
    assert records.read_record(made).name == made["name"]


def test_what_takes_no_requests_may_have_no_instance() -> None:
    assert compose(services=[{"name": "worker", "image": "app", "instances": 0}])["services"][0]["instances"] == 0


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"secrets": {}}, "service api: no secret is called key"),
        ({"images": {}}, "image has to be by digest"),
        ({"version": "v/1"}, "version has to be"),
        (
            {"services": [{"name": "web", "image": "app", "port": 80, "ready": "/", "instances": 0}]},
            "web takes requests, so it has at least one instance",
        ),
    ],
)
def test_a_composition_that_fails(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ReleaseError, match=says):
        compose(**more)


def known(*names: str) -> dict[str, Record]:
    """Later ones are newer."""
    services = (Service("api", IMAGE),)
    found = {}
    for day, name in enumerate(names, 1):
        version, configuration = name.split("-")
        found[name] = Record(version, configuration, services, f"2026-01-{day:02}T00:00:00+00:00")
    return found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("v1-00000001", "v1-00000001"), ("v1", "v1-00000002"), ("v2", "v2-00000001")],
)
def test_found_by_name_or_version(wanted: str, found: str) -> None:
    assert records.find(known("v1-00000001", "v1-00000002", "v2-00000001"), wanted).name == found


def test_an_unknown_release_names_those_that_exist() -> None:
    with pytest.raises(ReleaseError, match=r"release v9 is unknown on this host.*known are v1-00000001, v2-00000001"):
        records.find(known("v1-00000001", "v2-00000001"), "v9")


@pytest.mark.parametrize(
    ("history", "used", "keep", "gone"),
    [
        (["d-00000000", "c-00000000", "b-00000000"], ["d-00000000"], 3, ["e-00000000", "a-00000000"]),
        (["d-00000000", "c-00000000", "b-00000000"], ["d-00000000", "e-00000000"], 3, ["a-00000000"]),
        (["b-00000000"], ["b-00000000"], 2, ["d-00000000", "c-00000000", "a-00000000"]),
        (["b-00000000"], ["b-00000000"], 0, ["e-00000000", "d-00000000", "c-00000000", "a-00000000"]),
        (["x-00000000"], [], 5, []),
    ],
)
def test_what_is_forgotten(history: list[str], used: list[str], keep: int, gone: list[str]) -> None:
    there = known(*(f"{letter}-00000000" for letter in "abcde"))
    assert records.dropped(there, history, used, keep) == gone


@pytest.mark.parametrize(
    ("subnet", "colour", "service", "instance", "address"),
    [
        ("10.213.0.0/24", "blue", 0, 1, "10.213.0.17"),
        ("10.213.0.0/24", "blue", 7, 8, "10.213.0.80"),
        ("10.213.0.0/24", "green", 0, 1, "10.213.0.145"),
        ("10.213.0.0/24", "green", 7, 8, "10.213.0.208"),
        ("10.0.0.0/16", "green", 1, 2, "10.0.0.154"),
        ("10.213.0.0/25", "blue", 0, 1, None),
        ("fd00::/64", "blue", 0, 1, None),
        ("10.213.0.0/24", "blue", 8, 1, None),
        ("10.213.0.0/24", "blue", 0, 9, None),
        ("10.213.0.0/24", "blue", 0, 0, None),
    ],
)
def test_address(subnet: str, colour: str, service: int, instance: int, address: str | None) -> None:
    if address is None:
        with pytest.raises(ReleaseError):
            slots.address(subnet, colour, service, instance)
    else:
        assert slots.address(subnet, colour, service, instance) == address


def test_no_two_slots_share_an_address() -> None:
    every = [
        slots.address("10.213.0.0/24", colour, service, instance)
        for colour in slots.COLOURS
        for service in range(8)
        for instance in range(1, 9)
    ]
    assert len(set(every)) == 128


def test_haproxy_and_containers_agree() -> None:
    record = records.read_record(raw(services=[API, {"name": "old-web", "image": IMAGE, "instances": 2}]))
    table = slots.slots([service.__dict__ for service in record.services], "10.213.0.0/24", 4)
    assert table["api"]["port"] == 3000
    for colour in slots.COLOURS:
        for spec in slots.specs(record, colour, "10.213.0.0/24"):
            assert table[spec.service][colour][spec.instance - 1] == spec.address
            assert slots.name_of(spec.slot) == spec.name
            assert spec.slot == (f"{spec.service}_{colour}", f"slot{spec.instance}")


def test_a_container_knows_what_it_was_made_from() -> None:
    def digest(service: dict[str, Any]) -> str:
        return slots.specs(records.read_record(raw(service)), "blue", "10.213.0.0/24")[0].digest

    changes: list[dict[str, Any]] = [
        {"memory": "512m"},
        {"env": {"A": "1"}},
        {"secrets": ["key"]},
        {"stop_timeout": 9},
        {"health": ["ask"]},
        {"health": ["ask", "me"]},
    ]
    assert len({digest({}), *map(digest, changes)}) == 7
    assert digest({}) == digest({"instances": 3})


def test_one_without_a_health_check_is_what_it_was_before_there_were_any() -> None:
    """Else the first deploy after it would exchange every container, and every release had another name."""
    without = Record("v1", "00000001", (Service("api", "i", port=3000, ready="/readyz"),))
    assert slots.specs(without, "blue", "10.213.0.0/24")[0].digest == "3d0a22b808e6b893"
    assert "health" not in without.plain()["services"][0]
    one = {"name": "api", "image": "app"}
    named = [records.compose([one | more], "v1", {"app": "sha256:" + "a" * 64}, {}, {})["name"] for more in HEALTH]
    assert named[0] == "v1-00efb27c"
    assert named[1] != named[0]


HEALTH: tuple[dict[str, Any], ...] = ({}, {"health": ["ask"]})
