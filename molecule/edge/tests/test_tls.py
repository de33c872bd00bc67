"""What outside judges say of the TLS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from edge import DOMAIN, HOSTS, PROXY
from fleet import address, container, docker, run
from probe import trusted

# What only a public CA and zone can give (revocation, a CAA record), and what the scanner's openssl cannot do.
NOT_OURS = {"cert_revocation", "DNS_CAArecord", "engine_problem", "sessionresumption_ticket"}


@pytest.mark.parametrize("host", HOSTS)
def test_sslyze(host: str, tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_text(trusted())
    trust = ("--certinfo", "--certinfo_ca_file", roots)
    ran = run("sslyze", "--mozilla_config=intermediate", *trust, f"{DOMAIN}:443{{{address(host)}}}")
    assert ran.code == 0, ran.output


@pytest.mark.long
def test_testssl() -> None:
    """Protocols, server's defaults, headers. Debian 12's version gives no grade; nothing bad is what an A+ asks for."""
    if docker("exec", container(PROXY), "sh", "-c", "command -v testssl").code != 0:
        pytest.skip(f"testssl is not on {PROXY}: its image was baked without the package testssl.sh")
    look = """
        d=$(mktemp -d); trap 'rm -rf $d' EXIT; printf %s "$1" >$d/ca.pem
        testssl --quiet --color 0 --warnings off --add-ca $d/ca.pem --ip "$2" -p -S -h --jsonfile $d/out "$3" >/dev/null
        cat $d/out"""
    ran = docker("exec", container(PROXY), "sh", "-c", look, "sh", trusted(), address("lb1"), DOMAIN)
    found = json.loads(ran.output)
    assert len(found) > 40, "it has looked at the certificate, the protocols and the headers"
    assert [one for one in found if one["severity"] not in ("OK", "INFO") and one["id"] not in NOT_OURS] == []
    assert {one["finding"] for one in found if one["id"] == "overall_grade"} <= {"A+"}
