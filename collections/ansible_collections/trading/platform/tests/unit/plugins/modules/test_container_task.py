# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container run to its end, with an engine that writes down what it is asked for."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.modules import container_task

# A run says what stands in its secret, waits while there is a file `hold`, says it again, and ends as `code` has it.
DOCKER = """#!/bin/sh
cd {place}
echo "$*" >> asked
case $1 in
wait) [ -e left ] || {{ echo "No such container: $2" >&2; exit 1; }}
    while [ -e left ]; do sleep 0.02; done ;;
rm) rm -f left; [ -e running ] && rm -f hold ;;
run)
    touch running
    secret=$(echo "$*" | sed 's/.*--volume \\([^:]*\\):.*/\\1/')
    cat $secret; echo began >> asked
    while [ -e hold ]; do sleep 0.02; done
    cat $secret; rm running; echo ended >> asked
    exit $(cat code 2>/dev/null || echo 0) ;;
esac
"""
ARGS = {"name": "migrate", "image": "i", "command": ["go"], "env": {"A": "1"}, "network": "trading", "timeout": 20}


class Engine:
    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "docker").write_text(DOCKER.format(place=place))
        (place / "docker").chmod(0o755)

    @property
    def asked(self) -> list[str]:
        """The verbs, in their order."""
        path = self.place / "asked"
        return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []

    def come_to(self, verb: str) -> None:
        until = time.monotonic() + 10
        while verb not in self.asked:
            assert time.monotonic() < until, f"{verb} is not among {self.asked}"
            time.sleep(0.01)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(container_task, "PLACE", tmp_path / "run")
    monkeypatch.setattr(container_task, "USER", os.getuid())
    monkeypatch.setattr(os, "fchown", lambda *_: None)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Engine(tmp_path)


def task(content: str = "one\n", **more: Any) -> tuple[int, list[str]]:
    code, lines = container_task.run(ARGS | {"secrets": {"key": content}} | more)
    return code, list(lines)


def secrets(engine: Engine) -> list[str]:
    return [path.name for path in (engine.place / "run").rglob("key")]


def test_it_runs_with_its_secrets_and_leaves_none(engine: Engine) -> None:
    assert task() == (0, ["one", "one"])
    assert secrets(engine) == []
    [ran] = [line for line in (engine.place / "asked").read_text().splitlines() if line.startswith("run")]
    assert "--rm --pull never --name migrate --network trading --user 10001:10001 --read-only" in ran
    assert "--env A=1" in ran
    assert ran.endswith(":/run/secrets/key:ro i go")
    assert "one" not in ran


@pytest.mark.parametrize("code", [1, 2, 125])
def test_one_that_fails(engine: Engine, code: int) -> None:
    (engine.place / "code").write_text(str(code))
    assert task() == (code, ["one", "one"])
    assert secrets(engine) == []


def test_one_that_takes_too_long_is_removed(engine: Engine) -> None:
    (engine.place / "hold").touch()
    assert task(timeout=1)[0] == 124
    assert engine.asked[-1] == "rm" or engine.asked[-2:] == ["rm", "ended"]
    assert secrets(engine) == []


def test_a_rerun_waits_for_what_a_killed_run_left_at_work(engine: Engine) -> None:
    """Ansible was killed, its module on the host was not."""
    (engine.place / "hold").touch()
    ended: list[Any] = []
    first = threading.Thread(target=lambda: ended.append(task("one\n")))
    first.start()
    engine.come_to("began")
    second = threading.Thread(target=lambda: ended.append(task("two\n")))
    second.start()
    time.sleep(0.5)
    asked = engine.asked
    (engine.place / "hold").unlink()
    first.join(10)
    second.join(10)
    assert asked.count("rm") <= 1, "a healthy one was removed"
    assert ended == [(0, ["one", "one"]), (0, ["two", "two"])]
    assert secrets(engine) == []


def test_a_rerun_that_has_waited_long_enough_says_so(engine: Engine) -> None:
    (engine.place / "hold").touch()
    first = threading.Thread(target=task)
    first.start()
    engine.come_to("began")
    before = engine.asked
    with pytest.raises(OSError, match=r"another run of it .* did not end within 1 s"):
        task("two\n", timeout=1)
    assert engine.asked == before
    (engine.place / "hold").unlink()
    first.join(10)


def test_a_container_whose_module_died_is_waited_for_and_its_secrets_go(engine: Engine) -> None:
    (engine.place / "left").touch()
    orphaned = engine.place / "run/migrate/of-a-dead-one"
    orphaned.mkdir(parents=True)
    (orphaned / "key").write_text("old")
    second = threading.Thread(target=task)
    second.start()
    engine.come_to("wait")
    time.sleep(0.2)
    assert "rm" not in engine.asked
    assert "run" not in engine.asked
    (engine.place / "left").unlink()
    second.join(10)
    assert engine.asked.index("rm") < engine.asked.index("run")
    assert secrets(engine) == []
