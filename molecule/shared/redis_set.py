"""What the stories of Redis and of Valkey ask the hosts of the set."""

from __future__ import annotations

from fleet import address, container, docker

MEMBERS = ("db1", "db2")
PROGRAM = "/usr/local/lib/trading-platform/redis_member.py"


def program(host: str, *words: str) -> tuple[int, str]:
    ran = docker("exec", container(host), PROGRAM, *words)
    return ran.code, ran.output


def told(host: str = "ops1") -> tuple[str, bool]:
    """Who the sentinels say is master, and whether the other one follows it."""
    code, output = program(host, "info")
    assert code == 0, output
    names = {address(name): name for name in MEMBERS}
    lines = [line.split() for line in output.splitlines()]
    return names[next(line[1] for line in lines if line[0] == "master")], "not connected" not in output
