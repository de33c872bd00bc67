"""The address that clients use: who has it, and what a client sees of it while something is broken."""

from __future__ import annotations

import http.client
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import yaml
from data import wait_until
from fleet import INVENTORY, container, docker

LBS = ("lb1", "lb2")
NETWORK = yaml.safe_load((INVENTORY / "hosts.yml").read_text())["all"]["vars"]["fleet_network"]
ADDRESS = str(ipaddress.ip_network(NETWORK)[10])


def holders() -> list[str]:
    """Who has the address. A dead host has not."""
    asked = {name: docker("exec", container(name), "ip", "-4", "-brief", "address") for name in LBS}
    return [name for name, ran in asked.items() if ran.code == 0 and f" {ADDRESS}/32" in ran.output]


def the_holder() -> str:
    wait_until("one holder", lambda: len(holders()) == 1, 15)
    return holders()[0]


def other(name: str) -> str:
    return next(one for one in LBS if one != name)


def answers(where: str = ADDRESS, timeout: float = 0.3) -> bool:
    """Whether an HTTP answer came, whichever, on a new connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(where, timeout=timeout, context=context)
    try:
        connection.request("GET", "/", headers={"Host": "trading.test"})
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Watch:
    """Asks the address eight times a second; the longest time between two answers is what a client waits."""

    def __init__(self) -> None:
        self.good = [time.monotonic()]
        self.failed = 0
        self.going = True
        self.thread = threading.Thread(target=self._ask, daemon=True)

    def _ask(self) -> None:
        until = time.monotonic() + 60
        while self.going and time.monotonic() < until:
            if answers():
                self.good.append(time.monotonic())
            else:
                self.failed += 1
            time.sleep(0.12)

    def __repr__(self) -> str:
        return f"{len(self.good)} answers, {self.failed} failures, {self.gap:.2f} s without an answer"

    @property
    def gap(self) -> float:
        return max(after - before for before, after in zip(self.good, self.good[1:], strict=False))


@contextmanager
def watched(seconds_after: float) -> Iterator[Watch]:
    """What the block does to the address, and the moments after it."""
    assert answers(timeout=2), "the address did not answer before anything was broken"
    watch = Watch()
    watch.thread.start()
    time.sleep(0.5)
    try:
        yield watch
        time.sleep(seconds_after)
    finally:
        watch.going = False
        watch.thread.join(5)
