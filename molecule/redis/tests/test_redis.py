"""FAULTS 16 to 18: the Redis master dies, no quorum of sentinels, site.yml after a failover. And who gets in."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable

import data
from fleet import address, container, inside, playbook, service_starts, site
from probe import Redis, execute, secret
from redis_set import MEMBERS, program, told

SENTINELS = ("db1", "db2", "ops1")

# Runs on app1: what each address answers to each way of asking.
ASK = """
import json, os, socket, ssl, sys

def ask(host, port, lines, tls=True):
    raw = None
    try:
        raw = socket.create_connection((host, port), timeout=3)
        if tls:
            context = ssl.create_default_context(cafile="/etc/trading-platform/pki/dbproxy/ca.pem")
            raw = context.wrap_socket(raw, server_hostname=host)
        said = []
        for words in lines:
            text = "*%d\\r\\n" % len(words) + "".join("$%d\\r\\n%s\\r\\n" % (len(w), w) for w in words)
            raw.sendall(text.encode())
            answer = raw.recv(4096).decode(errors="replace").split("\\r\\n")
            said.append(answer[2] if answer[0].startswith("*") else answer[0])
        return said
    except (OSError, ssl.SSLError) as problem:
        return ["closed: " + type(problem).__name__]
    finally:
        if raw:
            raw.close()

questions = json.loads(sys.argv[1])
password = os.environ.get("LOGIN", "")
def login(q):
    return [["AUTH", q["user"], q.get("password", password)]] if "user" in q else []

print(json.dumps([ask(q["host"], q["port"], login(q) + q["lines"], q.get("tls", True)) for q in questions]))
"""

# Runs on an application's host: clients of its proxy, for some seconds.
HOLD = """
import socket, sys, time
clients = [socket.create_connection(("127.0.0.1", 6379), timeout=5) for _ in range(int(sys.argv[1]))]
for client in clients:
    client.sendall(b"PING\\r\\n")
time.sleep(float(sys.argv[2]))
"""
# Runs there too: more clients at once than the proxy takes, most of which the kernel keeps waiting.
FLOOD = """
import resource, socket, sys, time
number = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (number + 100, number + 100))
clients = [socket.socket() for _ in range(number)]
for client in clients:
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", 6379))
time.sleep(float(sys.argv[2]))
"""
# What a PostgreSQL behind the proxy says to one who would like TLS.
POSTGRES = """
import socket
with socket.create_connection(("127.0.0.1", 5000), timeout=3) as asked:
    asked.sendall((8).to_bytes(4, "big") + (80877103).to_bytes(4, "big"))
    print(asked.recv(1).decode())
"""
# Runs there too: sessions of Redis's clients for which no time is set, so that nothing will ever end them.
ENDLESS = """
import socket
asked = socket.socket(socket.AF_UNIX)
asked.connect("/run/haproxy/admin.sock")
asked.sendall(b"show sess\\n")
said = b"".join(iter(lambda: asked.recv(65536), b"")).decode()
print(sum("fe=redis" in line and " exp= " in line for line in said.splitlines()))
"""


def asked(*questions: dict[str, object], login: str = "") -> list[list[str]]:
    said = execute("app1", "python3", "-c", ASK, json.dumps(questions), LOGIN=login)
    answers: list[list[str]] = json.loads(said)
    return answers


def endless() -> list[int]:
    return [int(execute(name, "python3", "-c", ENDLESS)) for name in ("app1", "app2")]


def role(host: str) -> str:
    """As the member itself says, without any sentinel."""
    said = asked(
        {"host": address(host), "port": 6379, "user": "health", "lines": [["ROLE"]]},
        login=secret("vault_redis_health_password"),
    )
    return said[0][-1]


def wait_until(what: str, holds: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"not within {seconds} s: {what}; {program('ops1', 'info')}"
        time.sleep(0.3)


def is_well() -> bool:
    checks = [program(name, "check-redis")[0] for name in MEMBERS]
    checks += [program(name, "check-sentinel")[0] for name in SENTINELS]
    code, output = program("ops1", "info")
    return not any(checks) and code == 0 and "not connected" not in output and "3 of 3" in output


def kill_master(master: str) -> float:
    """The program dies as it would by its own fault, and cannot come back yet."""
    at = time.monotonic()
    inside(master, "kill -9 $(systemctl show --property MainPID --value redis-server) && systemctl stop redis-server")
    return at


def test_plaintext_and_strangers_are_refused() -> None:
    doors = [(name, address(name), 6379) for name in MEMBERS] + [(name, address(name), 26379) for name in SENTINELS]
    ping = [["PING"]]
    plain = asked(*[{"host": where, "port": port, "tls": False, "lines": ping} for _name, where, port in doors])
    assert all("PONG" not in said[0] for said in plain), plain
    assert asked(*[{"host": where, "port": port, "lines": ping} for _name, where, port in doors]) == [
        ["-NOAUTH Authentication required."]
    ] * len(doors)
    stranger = asked(
        *[{"host": where, "port": port, "user": "app", "password": "guess", "lines": []} for _n, where, port in doors]
    )
    assert all(said[0].startswith("-WRONGPASS") for said in stranger), stranger
    # By its name, too: the certificate is checked against what was asked for.
    assert asked({"host": address("db1"), "port": 6379, "user": "default", "password": "", "lines": []})[0][
        0
    ].startswith("-WRONGPASS")


def test_the_application_may_use_data_and_nothing_else() -> None:
    master, _follows = told()
    # fmt: off
    forbidden = [
        ["FLUSHALL"], ["FLUSHDB"], ["CONFIG", "GET", "*"], ["KEYS", "*"], ["SHUTDOWN", "NOSAVE"], ["SAVE"], ["MONITOR"],
        ["REPLICAOF", "NO", "ONE"], ["ACL", "LIST"], ["CLIENT", "LIST"], ["MODULE", "LIST"], ["SWAPDB", "0", "1"],
    ]
    # fmt: on
    allowed = [["SET", "story:one", "1"], ["INCR", "story:one"], ["DEL", "story:one"], ["PUBLISH", "story", "x"]]
    said = asked(
        *[{"host": address(master), "port": 6379, "user": "app", "lines": [words]} for words in forbidden],
        {"host": address(master), "port": 6379, "user": "app", "lines": allowed},
        login=secret("vault_redis_app_password"),
    )
    assert [answer[1][:7] for answer in said[:-1]] == ["-NOPERM"] * len(forbidden), said
    assert said[-1] == ["+OK", "+OK", ":2", ":1", ":0"], said
    health = asked(
        {
            "host": address(master),
            "port": 6379,
            "user": "health",
            "lines": [["PING"], ["GET", "story:one"], ["SET", "a", "b"]],
        },
        login=secret("vault_redis_health_password"),
    )
    assert [word[:7] for word in health[0]] == ["+OK", "+PONG", "-NOPERM", "-NOPERM"], health


def test_the_master_dies_and_returns_as_a_replica() -> None:
    """FAULT 16, with the tail of the append-only file gone, as after a power failure."""
    wait_until("a healthy set", is_well)
    old, _follows = told()
    new = next(name for name in MEMBERS if name != old)
    with Redis("app1", seconds=120) as run:
        run.wait_ready()
        killed_at = kill_master(old)
        run.wait_writing(30)
        inside(old, "cd /var/lib/redis/appendonlydir && tail=$(ls -t *.incr.aof | head -n 1) && truncate -s -200 $tail")
        since = inside(old, "date +%s.%N").strip()
        inside(old, "systemctl start redis-server")
        wait_until("the old master back as a replica", is_well)
        result = run.result()
    assert result.longest_gap_s <= 30, result
    # Both: one write lost long before the master's end has no span.
    assert (result.lost_span_s or 0) <= 1, result
    assert result.lost == 0 or result.lost_first_at >= killed_at - 1, result
    assert told() == (new, True)
    # Each line of Redis names its role: M would be a master's.
    lines = inside(old, f"journalctl --unit redis-server --since @{since} --output cat").splitlines()
    roles = {line.split()[0].partition(":")[2] for line in lines if line[:1].isdigit()}
    assert "S" in roles, lines
    assert "M" not in roles, lines


def test_connections_in_the_making_do_not_outlive_their_master() -> None:
    """haproxy 3.0 keeps for ever what it shuts down while it still connects, until the proxy takes nobody any more."""
    wait_until("a healthy set", is_well)
    old, _follows = told()
    with data.frozen(old, "^/usr/bin/redis-server"):
        command = ["python3", "-c", HOLD, "50", "15"]
        holding = [subprocess.Popen(["docker", "exec", container(name), *command]) for name in ("app1", "app2")]
        assert [process.wait(60) for process in holding] == [0, 0]
    wait_until("a healthy set again", is_well, 90)
    wait_until("no session that nothing ends", lambda: endless() == [0, 0], 20)


def test_a_flood_of_redis_clients_leaves_postgresql_its_way() -> None:
    with subprocess.Popen(["docker", "exec", container("app1"), "python3", "-c", FLOOD, "5000", "15"]) as flood:
        said = []
        while flood.poll() is None:
            said.append(execute("app1", "python3", "-c", POSTGRES).strip())
            time.sleep(0.5)
    assert len(said) > 5, "the flood was over before PostgreSQL was asked"
    assert set(said) == {"S"}
    assert flood.returncode == 0
    wait_until("a healthy set again", is_well, 30)


def test_site_after_the_failover_changes_nothing() -> None:
    """FAULT 18."""
    before = told(), {name: service_starts(name) for name in SENTINELS}
    ran = site("--tags", "redis")
    assert ran.code == 0, ran.output
    assert "redis : Run | Services" in ran.output
    assert {name: ran.changed[name] for name in SENTINELS} == dict.fromkeys(SENTINELS, 0), ran.output
    assert (told(), {name: service_starts(name) for name in SENTINELS}) == before


def test_a_planned_failover_loses_nothing() -> None:
    old, _follows = told()
    with Redis("app1", seconds=120) as run:
        run.wait_ready()
        ran = playbook("playbooks/redis_failover.yml")
        assert ran.code == 0, ran.output
        result = run.result()
    assert "measured: writes possible again" in ran.output, ran.output
    assert told() != (old, True)
    assert result.lost == 0, result
    assert result.longest_gap_s <= 5, result


def test_without_quorum_nobody_is_promoted() -> None:
    """FAULT 17."""
    wait_until("a healthy set", is_well)
    old, _follows = told()
    new = next(name for name in MEMBERS if name != old)
    silent = [name for name in SENTINELS if name != old]
    for name in silent:
        inside(name, "systemctl stop redis-sentinel")
    try:
        code, said = program(old, "failover")
        assert code == 1, said
        assert "1 of 3 sentinels answer, 2 are needed" in said
        kill_master(old)
        until = time.monotonic() + 12
        while time.monotonic() < until:
            assert role(new) == "slave"
            time.sleep(0.5)
        # What an alert stands on.
        assert program(old, "check-sentinel")[0] == 1
    finally:
        for name in silent:
            inside(name, "systemctl start redis-sentinel")
        inside(old, "systemctl start --no-block redis-server")
    wait_until("a healthy set again", is_well, 90)
