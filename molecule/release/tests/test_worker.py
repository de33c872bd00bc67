"""A worker that is killed with entries in hand: another one does them, and everybody is told once."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator

import data
import pytest
import releases
from fleet import ENVIRONMENT, container, inside
from probe import Traffic, execute, secret

# Through dbproxy, as the app does: how many entries each consumer has in hand.
IN_HAND = """
import json, os, redis
client = redis.Redis("127.0.0.1", 6379, username="app", password=os.environ["REDIS_PASSWORD"], decode_responses=True)
print(json.dumps({one["name"]: one["pending"] for one in client.xinfo_consumers("trades", "notifications")}))
"""
# Trades in a time: all, and those whose parties were not told, or more often than once.
TOLD = """
SELECT count(*) || ' ' || count(*) FILTER (WHERE told <> parties) FROM (
    SELECT (SELECT count(*) FROM trading.notifications AS n WHERE n.trade_id = t.id) AS told,
        CASE WHEN t.buyer_id = t.seller_id THEN 1 ELSE 2 END AS parties
    FROM trading.trades AS t WHERE t.executed_at BETWEEN '{}' AND '{}') AS each
"""


def in_hand() -> dict[str, int]:
    """Of those that have any."""
    said = json.loads(execute("app1", "python3", "-c", IN_HAND, REDIS_PASSWORD=secret("vault_redis_app_password")))
    return {name: pending for name, pending in said.items() if pending}


def now() -> str:
    return data.sql(data.primary(), "SELECT clock_timestamp()")


@contextlib.contextmanager
def nobody_can_be_told() -> Iterator[None]:
    """Workers read entries and wait for the table. The lock ends with this process, whatever becomes of it."""
    psql = ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "trading"]
    with subprocess.Popen(
        ["docker", "exec", "-i", container(data.primary()), *psql],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as session:
        assert session.stdin
        assert session.stdout
        session.stdin.write("BEGIN; LOCK TABLE trading.notifications IN SHARE MODE; SELECT 'locked';\n")
        session.stdin.flush()
        assert session.stdout.readline().strip() == "locked"
        yield


@pytest.mark.long
def test_what_a_killed_worker_had_in_hand_is_done_once(load: Traffic) -> None:
    services = {releases.label(one, "service"): name for name, one in releases.containers("app1").items()}
    worker = services["worker"]
    data.wait_until("nothing is in hand", lambda: not in_hand(), 60, in_hand)
    began = now()
    try:
        with load.window() as seen:
            with nobody_can_be_told():
                data.wait_until("both hosts' workers have entries", lambda: len(in_hand()) == 2, 60, in_hand)
                inside("app1", f"docker kill {worker}")
            ended = now()
            # 30 s until it counts as dead, and a look every 20 s.
            data.wait_until("the other one has done them", lambda: not in_hand(), 90, in_hand)
        assert not releases.containers("app1")[worker]["State"]["Running"], "nobody else was there to do them"
        trades, wrong = map(int, data.sql(data.primary(), TOLD.format(began, ended), "trading").split())
        assert (trades > 0, wrong) == (True, 0)
        seen.assert_unnoticed()
    finally:
        inside("app1", f"docker start {worker}")
        data.wait_until("it works again", lambda: ready(worker), 60)


def ready(worker: str) -> bool:
    return inside("app1", f"docker exec {worker} test -e /tmp/healthy && echo yes || true").strip() == "yes"
