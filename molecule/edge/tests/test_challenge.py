"""An ACME challenge is found on whichever load balancer has it, by asking either."""

from __future__ import annotations

import time

from edge import ask
from fleet import inside

ROOT = "/var/lib/trading-platform/acme/.well-known/acme-challenge"


def test_the_peers_challenge_is_passed_on() -> None:
    token = f"token-{time.monotonic_ns()}"
    inside("lb2", f"umask 022; mkdir -p {ROOT}; echo proof >{ROOT}/{token}")
    try:
        answers = [ask(host, f"/.well-known/acme-challenge/{token}", port=80) for host in ("lb1", "lb2")]
    finally:
        inside("lb2", f"rm {ROOT}/{token}")
    assert [(answer.status, answer.body) for answer in answers] == [(200, "proof\n")] * 2


def test_a_challenge_that_nobody_has_goes_round_once() -> None:
    began = time.monotonic()
    assert ask("lb1", "/.well-known/acme-challenge/nobodys", port=80).status == 404
    assert time.monotonic() - began < 2
