"""The front door as its tests see it: answers as they came over the wire, to strangers and through a declared proxy."""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

from fleet import address, container, docker

DOMAIN = "trading.test"
HOSTS = ("lb1", "lb2")
# Declared in nginx_trusted_proxies. This machine, at the network's gateway, is a stranger.
PROXY = "world1"

# Runs on the proxy: many requests over one connection, as [[status, Retry-After], ...].
MANY = """
import http.client, json, ssl, sys
host, name, method, path, headers, count = json.loads(sys.argv[1])
line = http.client.HTTPSConnection(host, context=ssl._create_unverified_context(), timeout=20)
seen = []
for _ in range(count):
    line.request(method, path, headers={"Host": name, **headers})
    answer = line.getresponse()
    answer.read()
    seen.append([answer.status, answer.getheader("Retry-After"), answer.getheader("X-Request-ID")])
print(json.dumps(seen))
"""


@dataclass(frozen=True)
class Answer:
    """One answer; a header that came twice is there twice."""

    status: int
    headers: list[tuple[str, str]]
    body: str

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        values = self.all(name)
        assert len(values) == 1, f"{name} came {len(values)} times, with {self.status}: {self.headers}"
        return values[0]


def secure(host: str, protocols: tuple[str, ...] = ()) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(socket.create_connection((address(host), 443), timeout=20), server_hostname=DOMAIN)


def say(host: str, text: bytes, port: int = 443, tls: bool = True) -> Answer:
    """Sends exactly this, well formed or not, and reads one answer."""
    plain = port == 80 or not tls
    with socket.create_connection((address(host), port), timeout=20) if plain else secure(host) as line:
        line.sendall(text)
        answer = http.client.HTTPResponse(line)
        answer.begin()
        return Answer(answer.status, answer.getheaders(), answer.read().decode(errors="replace"))


def ask(host: str, path: str, method: str = "GET", name: str = DOMAIN, port: int = 443, **headers: str) -> Answer:
    """headers by keyword, with _ for -."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {name}", "Connection: close"]
    lines += [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
    return say(host, ("\r\n".join(lines) + "\r\n\r\n").encode(), port)


def post(host: str, path: str, body: object, **headers: str) -> Answer:
    """JSON, from this machine."""
    content = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", f"Host: {DOMAIN}", "Connection: close", f"Content-Length: {len(content)}"]
    lines += [f"{key}: {value}" for key, value in {"Content-Type": "application/json", **headers}.items()]
    return say(host, ("\r\n".join(lines) + "\r\n\r\n").encode() + content)


def somebody() -> str:
    """A client that no test was before."""
    return f"10.{secrets.randbelow(254) + 1}.{secrets.randbelow(254) + 1}.{secrets.randbelow(254) + 1}"


def wait_for_room(seconds: int) -> None:
    """The limits count by the clock's minute: until so much of one is left."""
    left = 60 - time.time() % 60
    if left < seconds:
        time.sleep(left + 0.2)


def through_proxy(host: str, count: int, path: str, method: str = "GET", **headers: str) -> list[list[Any]]:
    """[status, Retry-After, X-Request-ID] of each of so many requests from the declared proxy."""
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    question = json.dumps([address(host), DOMAIN, method, path, given, count])
    ran = docker("exec", container(PROXY), "python3", "-c", MANY, question)
    assert ran.code == 0, ran.output
    seen: list[list[Any]] = json.loads(ran.output)
    return seen
