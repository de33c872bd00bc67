"""A client that takes its time holds a connection for nginx_client_timeout, and not for as long as it likes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import yaml
from edge import DOMAIN, secure
from fleet import ROOT

TIMEOUT = int(yaml.safe_load((ROOT / "roles/nginx/defaults/main.yml").read_text())["nginx_client_timeout"])
HEAD = f"Host: {DOMAIN}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n".encode()
# What is said at once, and what in each second from then on.
SLOW = {
    "nothing": (b"", b""),
    # By itself each byte is in time.
    "a header byte by byte": (b"GET / HTTP/1.1\r\nX-Slow: ", b"x"),
    "a header line by line": (b"GET / HTTP/1.1\r\n", b"X-Slow: x\r\n"),
    "a body that does not go on": (b"POST /api/orders HTTP/1.1\r\n" + HEAD + b'\r\n{"company', b""),
}


def given_up_after(at_once: bytes, each_second: bytes) -> float:
    """Seconds until nginx closes the connection, without an answer: that too would have to be waited for."""
    with secure("lb1") as line:
        began = time.monotonic()
        line.sendall(at_once)
        line.settimeout(1)
        while time.monotonic() - began < 3 * TIMEOUT:
            try:
                said = line.recv(100)
                assert not said, said
                break
            except TimeoutError:
                pass
            except OSError:
                break
            try:
                line.sendall(each_second)
            except OSError:
                break
        return time.monotonic() - began


def test_slow_clients_are_given_up() -> None:
    with ThreadPoolExecutor(len(SLOW)) as pool:
        took = dict(zip(SLOW, pool.map(lambda one: given_up_after(*one), SLOW.values()), strict=True))
    assert {what: took[what] for what in SLOW if not TIMEOUT - 2 < took[what] < TIMEOUT + 4} == {}
