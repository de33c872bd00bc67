"""FAULTS 22 and 23: certificates from an ACME CA, renewed under traffic, kept when the CA fails, seen to be served."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import time
import urllib.request
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from data import wait_until
from fleet import Ran, address, container, docker, inside, playbook, run
from vip import ADDRESS, LBS, other, the_holder, watched

DOMAIN = "trading.test"
LINK = f"/etc/trading-platform/tls/{DOMAIN}"
WEBROOT = "/var/lib/trading-platform/acme/.well-known/acme-challenge"
METRIC = "/var/lib/prometheus/node-exporter/trading_certificates.prom"
PROGRAM = "/usr/local/lib/trading-platform/edge_certificate.py"
DROP_IN = "/run/systemd/system/pebble.service.d/story.conf"
NGINX, ASIDE = "/etc/nginx/nginx.conf", "/run/story-nginx.conf"


def served(name: str) -> x509.Certificate:
    """From the wire."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((address(name), 443), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=DOMAIN) as secure,
    ):
        return x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")


def serials() -> dict[str, int]:
    return {name: served(name).serial_number for name in LBS}


def keep(name: str, *words: str) -> Ran:
    """What the timer does."""
    return docker("exec", container(name), PROGRAM, "keep", *words)


def renew(*words: str) -> Ran:
    return playbook("playbooks/renew_certificates.yml", *words)


def ca_answers() -> bool:
    ask = f"curl --silent --fail --output /dev/null https://{address('world1')}:14000/dir"
    return docker("exec", container("lb1"), "sh", "-c", ask).code == 0


@pytest.fixture(autouse=True)
def healthy_afterwards() -> Iterator[None]:
    yield
    # Only where it has to: it forgets its accounts.
    inside("world1", f"[ ! -e {DROP_IN} ] || {{ rm {DROP_IN}; systemctl daemon-reload; systemctl stop pebble; }}")
    inside("world1", "systemctl start pebble")
    for name in LBS:
        inside(name, f"[ ! -e {ASIDE} ] || cp {ASIDE} {NGINX}; rm -f {ASIDE}; systemctl start nginx")
    wait_until("the CA answers", ca_answers, 15)
    the_holder()


@pytest.fixture(scope="module", autouse=True)
def of_the_ca_that_stands() -> Iterator[None]:
    """Pebble has another root after each restart, and who judges the TLS afterwards trusts that one alone."""
    yield
    for name in LBS:
        ran = keep(name, "--force")
        assert ran.code == 0, ran.output


def test_each_has_a_certificate_of_its_own() -> None:
    certificates = [served(name) for name in LBS]
    for certificate in certificates:
        assert "Pebble" in certificate.issuer.rfc4514_string()
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [DOMAIN]
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp256r1"
    assert certificates[0].public_key() != certificates[1].public_key()
    accounts = {inside(name, "cat /etc/letsencrypt/accounts/*/*/*/regr.json") for name in LBS}
    assert len({json.loads(text)["uri"] for text in accounts}) == len(LBS)


def test_the_challenge_falls_through_to_the_peer() -> None:
    """The CA asks by the address, so one of the two is always asked for an answer that the other has."""
    token = secrets.token_hex(8)
    holder = the_holder()
    inside(other(holder), f"mkdir -p {WEBROOT} && echo {token} >{WEBROOT}/{token}")
    try:
        asked = urllib.request.Request(f"http://{ADDRESS}/.well-known/acme-challenge/{token}", headers={"Host": DOMAIN})
        with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310
            assert answer.read().decode().strip() == token
    finally:
        inside(other(holder), f"rm {WEBROOT}/{token}")
    for name in (holder, other(holder)):
        before = served(name).serial_number
        ran = keep(name, "--force")
        assert ran.code == 0, ran.output
        assert served(name).serial_number != before


def test_renewal_is_served_and_fails_no_request() -> None:
    before = serials()
    with watched(1) as watch:
        ran = renew("-e", "force=true")
    assert ran.code == 0, ran.output
    assert ran.changed == dict.fromkeys(LBS, 1), ran.output
    after = serials()
    assert all(after[name] != before[name] for name in LBS)
    assert watch.failed == 0, f"{watch.failed} of {watch.failed + len(watch.good)} requests got no answer"


def test_nothing_is_asked_for_where_nothing_is_due() -> None:
    before = serials()
    ran = renew()
    assert ran.code == 0, ran.output
    assert ran.changed == dict.fromkeys(LBS, 0), ran.output
    assert "Nothing is due" in ran.output
    assert serials() == before


def test_the_metric_is_the_served_certificate() -> None:
    for name in LBS:
        assert keep(name).code == 0
        values = dict(line.rsplit(" ", 1) for line in inside(name, f"grep -v ^# {METRIC}").splitlines())
        ends = served(name).not_valid_after_utc.timestamp()
        assert float(values[f'trading_certificate_not_after_timestamp_seconds{{domain="{DOMAIN}"}}']) == ends
        last = float(values[f'trading_certificate_last_success_timestamp_seconds{{domain="{DOMAIN}"}}'])
        assert abs(time.time() - last) < 60


def test_the_ca_is_down() -> None:
    """FAULT 22: the old one is served, and the run says so."""
    before, one = serials(), served("lb1")
    told = inside("lb1", f"cat {METRIC}")
    inside("world1", "systemctl stop pebble")
    ran = renew("-e", "force=true")
    said = " ".join(ran.output.split())
    assert ran.code != 0
    assert "gave no certificate for trading.test" in said, ran.output
    assert f"nginx goes on with serial {one.serial_number:X}" in said.replace("serial 0", "serial "), ran.output
    assert f"until {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC" in said, ran.output
    assert serials() == before
    assert inside("lb1", f"cat {METRIC}") == told, "a failure counted as a success, or moved the expiry"


def test_the_ca_gives_bad_nonces() -> None:
    """FAULT 22."""
    before = serials()
    inside(
        "world1",
        f"mkdir -p $(dirname {DROP_IN}); printf '[Service]\\nEnvironment=PEBBLE_WFE_NONCEREJECT=90\\n' >{DROP_IN};"
        " systemctl daemon-reload; systemctl restart pebble",
    )
    wait_until("the CA answers", ca_answers, 15)
    ran = keep("lb1", "--force")
    assert ran.code != 0
    assert "badNonce" in ran.output, ran.output
    assert "nginx goes on with serial" in ran.output
    assert serials() == before


@pytest.mark.long
def test_a_ca_that_forgot_us_gets_to_know_us_again() -> None:
    """Pebble forgets at each restart; Let's Encrypt's staging CA has done it, too."""
    before = serials()
    ran = renew("-e", "force=true")
    assert ran.code == 0, ran.output
    assert all(serials()[name] != before[name] for name in LBS)


def test_nginx_refuses_and_takes_it_up_later() -> None:
    """FAULT 23: a certificate that certbot has and nginx does not serve is an error, and mended by the next run."""
    before = served("lb1").serial_number
    inside("lb1", f"cp {NGINX} {ASIDE} && echo nonsense >>{NGINX}")
    ran = keep("lb1", "--force")
    assert ran.code != 0
    assert "nginx refuses its configuration" in ran.output, ran.output
    assert served("lb1").serial_number == before
    on_disk = inside("lb1", f"openssl x509 -in {LINK}/fullchain.pem -noout -serial").strip()
    assert int(on_disk.partition("=")[2], 16) == before
    inside("lb1", f"cp {ASIDE} {NGINX} && rm {ASIDE}")
    ran = keep("lb1")
    assert ran.code == 0, ran.output
    assert "certbot had it already" in ran.output
    assert served("lb1").serial_number != before


def test_certbots_own_renewal_lands_too() -> None:
    before = served("lb1").serial_number
    ran = run("docker", "exec", container("lb1"), "certbot", "renew", "--force-renewal", "--no-random-sleep-on-renew")
    assert ran.code == 0, ran.output
    assert served("lb1").serial_number != before
    assert keep("lb1").output.strip() == ""
