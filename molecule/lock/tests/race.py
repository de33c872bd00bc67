"""Runs on a member of etcd: many takers at one moment, again and again. Prints the winners of each round."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from ansible_collections.trading.platform.plugins.module_utils._etcd.client import Etcd, tls
from ansible_collections.trading.platform.plugins.module_utils._lock.client import Locks
from ansible_collections.trading.platform.plugins.module_utils._lock.records import HeldError, Holder, LockError

ROUNDS, TAKERS = 20, 4
ca, endpoints = sys.argv[1], sys.argv[2].split(",")
password = sys.stdin.readline().strip()
together = Barrier(TAKERS)


def locks(number: int, seconds: int = 60) -> Locks:
    etcd = Etcd(endpoints[number % len(endpoints) :] + endpoints, tls(ca), 5, 2)
    etcd.token = etcd.authenticates("lock", password)
    return Locks(etcd, Holder(f"taker{number}", "race", "race", number, f"race/{number}", time.time()), seconds)


def take(one: Locks) -> str:
    together.wait()
    try:
        one.acquire()
    except HeldError:
        return ""
    return one.me.person


takers = [locks(number) for number in range(TAKERS)]
winners = []
with ThreadPoolExecutor(TAKERS) as pool:
    for _round in range(ROUNDS):
        winners.append([name for name in pool.map(take, takers) if name])
        released = [one.release() for one in takers]
        assert sum(released) == 1, released

first, second = locks(1, seconds=1), locks(2)
first.acquire()
began = time.monotonic()
while time.monotonic() - began < 30:
    try:
        second.acquire()
        break
    except LockError:
        time.sleep(0.2)
lapsed = time.monotonic() - began
try:
    first.renew()
    renewed = True
except LockError:
    renewed = False
second.release()
sys.stdout.write(json.dumps({"winners": winners, "lapsed": round(lapsed, 1), "renewed": renewed}))
