"""Renewal on a real host, down to the certificate that a service serves."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest
from fleet import INVENTORY, ROOT, Ran, inside, playbook, run

PKI = "/etc/trading-platform/pki"
SERVICE = ROOT / "molecule/certificates/service.yml"
UNIT = f"""[Service]
ExecStartPre=/bin/sh -c '[ ! -e /run/story-broken ]'
ExecStart=openssl s_server -accept 127.0.0.1:18443 -www -cert {PKI}/story/fullchain.pem -key {PKI}/story/key.pem
"""
# A host that somebody else owns: its openssl asks for more than it was told to.
GREEDY = """#!/bin/sh
[ "$1" = req ] || exec /usr/bin/openssl "$@"
sed 's/^subjectAltName = /&DNS:lb1.trading.internal,/' | /usr/bin/openssl "$@"
"""


def on_host(script: str) -> str:
    return inside("db1", script)


def serial(name: str = "host") -> str:
    return on_host(f"openssl x509 -noout -serial -in {PKI}/{name}/cert.pem")


def served() -> str:
    """From the wire, after the service had a moment to open its port."""
    ask = "openssl s_client -connect 127.0.0.1:18443 </dev/null 2>/dev/null | openssl x509 -noout -serial 2>/dev/null"
    return on_host(f"for i in $(seq 50); do {ask} && exit; sleep 0.1; done; exit 1")


def serve(*arguments: str) -> Ran:
    return playbook(SERVICE, *arguments)


def documented(**places: str) -> list[str]:
    """The command of docs/operations.md, with its capital words filled in."""
    text = (ROOT / "docs/operations.md").read_text()
    found = re.search(r"^## Certificates\n.*?^```\n(.*?)^```\n", text, re.M | re.S)
    assert found, "docs/operations.md shows no command under Certificates"
    return [places.get(word, word) for word in shlex.split(found[1])]


@pytest.fixture(scope="module")
def service() -> Iterator[None]:
    """A TLS server on db1; nothing of it afterwards."""
    on_host(f"printf %s {shlex.quote(UNIT)} >/run/systemd/system/story.service; systemctl daemon-reload")
    try:
        ran = serve()
        assert ran.code == 0, ran.output
        yield
    finally:
        on_host(
            "systemctl stop story; rm -f /run/systemd/system/story.service /run/story-broken /usr/sbin/openssl;"
            f" systemctl daemon-reload; systemctl reset-failed; rm -rf {PKI}/story {PKI}/.untold.json"
        )


def test_the_documented_command_renews_one_host() -> None:
    before, other = serial(), inside("ops1", f"openssl x509 -noout -serial -in {PKI}/host/cert.pem")
    ran = run(*documented(ENV=str(INVENTORY), HOST="db1"))
    assert ran.code == 0, ran.output
    assert serial() != before
    assert inside("ops1", f"openssl x509 -noout -serial -in {PKI}/host/cert.pem") == other
    keys = on_host(
        f"openssl x509 -noout -pubkey -in {PKI}/host/cert.pem; openssl pkey -pubout -in {PKI}/host/key.pem"
    ).splitlines()
    assert keys[: len(keys) // 2] == keys[len(keys) // 2 :]
    on_host(f"openssl verify -CAfile {PKI}/host/ca.pem {PKI}/host/cert.pem")


def test_a_renewed_certificate_is_served(service: None) -> None:
    before = served()
    ran = serve("-e", "pki_renew_now=true")
    assert ran.code == 0, ran.output
    assert served() == serial("story") != before


def test_a_handler_that_failed_is_notified_again(service: None) -> None:
    on_host("touch /run/story-broken")
    broken = serve("-e", "pki_renew_now=true")
    assert broken.code != 0
    assert "Restart the service" in broken.output
    renewed = serial("story")
    on_host("rm /run/story-broken")
    repaired = serve()
    assert repaired.code == 0, repaired.output
    assert served() == serial("story") == renewed, "the rerun did not tell the service, or renewed once more"
    again = serve()
    assert again.changed == {"db1": 0}, "the topic was not struck off the note\n" + again.output


def test_a_request_for_more_than_was_granted_is_refused(service: None) -> None:
    before = serial("story"), served()
    on_host(f"printf %s {shlex.quote(GREEDY)} >/usr/sbin/openssl; chmod 755 /usr/sbin/openssl")
    try:
        ran = serve("-e", "pki_renew_now=true")
    finally:
        on_host("rm /usr/sbin/openssl")
    assert ran.code != 0
    said = " ".join(ran.output.split())
    assert "it asks for the names ['DNS:lb1.trading.internal', 'DNS:story.internal']" in said, ran.output
    assert "Nothing was signed" in said
    assert (serial("story"), served()) == before


def test_no_other_service_passes_for_a_database() -> None:
    """pgbouncer checks the address that it calls, and the database's certificates alone have it."""
    (called,) = set(re.findall(r"host=(\S+)", inside("app1", "cat /etc/pgbouncer/pgbouncer.ini")))
    look = f"for one in {PKI}/*/cert.pem; do echo $one $(openssl x509 -noout -checkip {called} -in $one); done"
    passes = {
        f"{host} {line.split()[0]}"
        for host in ("db1", "db2", "ops1", "app1")
        for line in inside(host, look).splitlines()
        if "does match" in line
    }
    assert passes == {f"{host} {PKI}/postgres/cert.pem" for host in ("db1", "db2")}
