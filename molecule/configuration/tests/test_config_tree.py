"""config_tree on a real host, and site.yml as a rerun."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fleet import HOSTS, ROOT, Ran, each_kind_of_host, inside, playbook, service_starts, site

GOOD = "root ALL=(ALL) ALL\n"
OTHER = "daemon ALL=(ALL) /bin/true\n"


def land(**files: str) -> Ran:
    return playbook(ROOT / "molecule/configuration/landing.yml", "-e", json.dumps({"files": files}))


def on_host(script: str) -> str:
    return inside("db1", script)


@pytest.fixture(autouse=True)
def landed() -> Iterator[None]:
    """Two good files on the host before each test; nothing of it afterwards."""
    ran = land(one=GOOD, two=GOOD)
    assert ran.code == 0, ran.output
    yield
    on_host("rm -rf /opt/story /opt/broken /opt/applied /var/lib/trading-platform/config_tree/story.json")


def test_one_refused_file_leaves_all_the_old_ones() -> None:
    before = on_host("sha256sum /opt/story/*")
    ran = land(one=OTHER, two="this is no sudoers line\n")
    assert ran.code != 0
    assert "visudo" in ran.output
    assert "two" in ran.output
    assert on_host("sha256sum /opt/story/*") == before
    assert on_host("ls -A /opt/story") == "one\ntwo\n", "staged files were left behind"


def test_a_command_that_failed_after_landing_runs_again_until_it_succeeds() -> None:
    on_host("rm -f /opt/applied; touch /opt/broken")
    assert land(one=OTHER, two=GOOD).code != 0
    on_host("rm /opt/broken")
    assert land(one=OTHER, two=GOOD).changed == {"db1": 1}
    assert on_host("cat /opt/applied") == "applied\n"
    assert land(one=OTHER, two=GOOD).changed == {"db1": 0}


def test_what_left_the_tree_leaves_the_host_and_nothing_else_does() -> None:
    on_host("echo mine >/opt/story/by-hand")
    assert land(one=GOOD).code == 0
    assert on_host("ls /opt/story") == "by-hand\none\n"


def test_check_predicts_and_changes_nothing() -> None:
    before = on_host("sha256sum /opt/story/*")
    ran = playbook(
        ROOT / "molecule/configuration/landing.yml",
        "--check",
        "--diff",
        "-e",
        json.dumps({"files": {"one": OTHER, "two": GOOD}}),
    )
    assert ran.code == 0, ran.output
    assert ran.changed == {"db1": 1}
    assert "+daemon ALL=(ALL) /bin/true" in ran.output
    assert on_host("sha256sum /opt/story/*") == before


@pytest.mark.long
def test_a_check_of_the_standing_site_moves_nothing() -> None:
    files, starts = each_kind_of_host(), {name: service_starts(name) for name in HOSTS}
    # One of each kind: the others have no other task.
    ran = site("--check", "--limit", "lb1,app2,db1,ops1")
    assert ran.code == 0, ran.output
    assert set(ran.changed.values()) == {0}, ran.output
    assert {name: service_starts(name) for name in HOSTS} == starts
    assert each_kind_of_host() == files
