"""Every security header, once, on every answer: whoever gives it, the application or nginx."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from edge import DOMAIN, HOSTS, Answer, ask, say, secure, wait_for_room
from fleet import address, inside, playbook
from watch import wait_for

EXPECTED = {
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains; preload",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


def assert_covered(answer: Answer) -> None:
    assert {name: answer.one(name) for name in EXPECTED} == EXPECTED
    policy = answer.one("Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "camera=()" in answer.one("Permissions-Policy")
    assert answer.one("Server") == "nginx", "no version, and not the application's"
    assert answer.one("X-Request-ID")
    assert not answer.all("X-Powered-By")


@contextlib.contextmanager
def refused_by_app_hosts(host: str) -> Iterator[None]:
    """Also on connections that nginx has kept: where nothing came back on those, it would wait, and say 504."""
    hosts = ", ".join(address(app) for app in ("app1", "app2"))
    chain = "type filter hook output priority -300;"
    reset = f"ip daddr {{ {hosts} }} meta l4proto tcp reject with tcp reset;"
    # A table of its own, above the platform's.
    inside(host, f"echo 'table inet story {{ chain output {{ {chain} {reset} }}; }}' | nft -f -")
    try:
        yield
    finally:
        inside(host, "nft delete table inet story")
        # nginx asks nobody of an app host that it gave up on for the 3 s of its fail_timeout.
        wait_for(f"{host} finds its app hosts again", lambda: ask(host, "/").status == 200, 10)


@contextlib.contextmanager
def maintenance(host: str) -> Iterator[None]:
    try:
        inside(host, "touch /etc/trading-platform/maintenance")
        yield
    finally:
        inside(host, "rm -f /etc/trading-platform/maintenance")


def test_maintenance_begins_and_ends_by_its_playbook() -> None:
    for shown, status in (("true", 503), ("false", 200)):
        ran = playbook("playbooks/maintenance.yml", "-e", f"nginx_maintenance={shown}")
        assert ran.code == 0, ran.output
        assert {ask(host, "/").status for host in HOSTS} == {status}


PLAIN = f"GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode()
REQUESTS: dict[str, tuple[int, Callable[[], Answer]]] = {
    "page": (200, lambda: ask("lb1", "/")),
    "plain http": (301, lambda: ask("lb1", "/orders?x=1", port=80)),
    "malformed": (400, lambda: say("lb1", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")),
    "http on the https port": (400, lambda: say("lb1", PLAIN, tls=False)),
    "operators only": (403, lambda: ask("lb1", "/metrics")),
    "operators only, disguised": (403, lambda: ask("lb1", "//x/..//%6Detrics/")),
    "unknown": (404, lambda: ask("lb1", "/nothing-of-that-name")),
    "large body": (413, lambda: ask("lb1", "/api/orders", "POST", Content_Length=str(10**9))),
    "long path": (414, lambda: ask("lb1", "/" + "x" * 9000)),
    "another name": (421, lambda: ask("lb1", "/", name="other.example")),
    "another name, plain http": (421, lambda: ask("lb1", "/", name="other.example", port=80)),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_headers(what: str) -> None:
    status, request = REQUESTS[what]
    answer = request()
    assert answer.status == status, answer
    assert_covered(answer)


def test_redirect_goes_to_https() -> None:
    assert ask("lb1", "/orders?x=1", port=80).one("Location") == f"https://{DOMAIN}/orders?x=1"


def test_headers_when_no_app_host_answers() -> None:
    assert ask("lb2", "/").status == 200, "and nginx keeps a connection"
    with refused_by_app_hosts("lb2"):
        answers = [ask("lb2", path) for path in ("/", "/api/orders")]
    for answer in answers:
        assert answer.status == 502, answer
        assert_covered(answer)


def test_headers_and_way_back_in_maintenance() -> None:
    with maintenance("lb2"):
        answers = [ask("lb2", path) for path in ("/", "/api/orders")]
        health = inside("lb2", f"curl -sk https://{address('lb2')}/edge-health")
    for answer in answers:
        assert (answer.status, answer.one("Retry-After")) == (503, "300")
        assert_covered(answer)
    assert health == "ok\n", "the load balancers' own check goes on, so no address moves"
    assert ask("lb2", "/").status == 200


def test_headers_beyond_the_limit() -> None:
    wait_for_room(15)
    answers = [ask("lb1", "/api/register", "POST") for _ in range(4)]
    assert answers[-1].status == 429
    assert_covered(answers[-1])


def test_health_is_nobody_elses() -> None:
    answer = ask("lb1", "/edge-health")
    assert answer.status == 421
    assert_covered(answer)


def test_http2() -> None:
    with secure("lb1", protocols=("h2", "http/1.1")) as line:
        assert line.selected_alpn_protocol() == "h2"
