"""Valkey in the place of Redis: it is what runs, and its master moves without the loss of a write."""

from __future__ import annotations

import json

from fleet import inside, playbook
from probe import Redis
from redis_set import told


def test_valkey_runs_and_redis_does_not() -> None:
    running = inside("db1", "ps -eo comm")
    assert "valkey-server" in running
    assert "valkey-sentinel" in running
    assert "redis" not in running


def test_a_planned_failover_loses_nothing() -> None:
    old, _follows = told()
    with Redis("app1", seconds=120) as run:
        run.wait_ready()
        ran = playbook("playbooks/redis_failover.yml")
        assert ran.code == 0, ran.output
        result = run.result()
    assert told()[0] != old
    assert result.lost == 0, json.dumps(result.figures)
