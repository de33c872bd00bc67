"""What outside judges say of the TLS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from edge import DOMAIN, HOSTS
from fleet import address, container, docker, run
from probe import trusted

# Debian 13, whose testssl gives a grade; that of Debian 12, 3.0, knows none.
JUDGE = "app2"
# What only a public CA and zone can give (revocation, a CAA record), and what the scanner's openssl cannot do.
NOT_OURS = {"cert_revocation", "DNS_CAArecord", "engine_problem", "sessionresumption_ticket"}
# One finding of each part that has to be there: a scan that was cut short must not pass.
PARTS = {"TLS1_3", "cipherlist_STRONG_FS", "FS", "cert_chain_of_trust", "HSTS_time", "heartbleed", "LUCKY13"}
LOOK = """
    d=$(mktemp -d); trap 'rm -rf $d' EXIT; printf %s "$1" >$d/ca.pem
    nice testssl --quiet --color 0 --warnings off --add-ca $d/ca.pem --ip "$2" \
        -p -s -f -S -h -U --jsonfile $d/out "$3" >/dev/null
    cat $d/out"""


@pytest.mark.parametrize("host", HOSTS)
def test_sslyze(host: str, tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_text(trusted())
    trust = ("--certinfo", "--certinfo_ca_file", roots)
    ran = run("sslyze", "--mozilla_config=intermediate", *trust, f"{DOMAIN}:443{{{address(host)}}}")
    assert ran.code == 0, ran.output


@pytest.mark.long
def test_testssl() -> None:
    """Protocols, ciphers, forward secrecy, certificate, headers and known weaknesses; about a minute.

    It grades, by SSL Labs' guide, only where it has looked at all of these. Not every bad finding lowers the grade, so
    there must be none besides.
    """
    ran = docker("exec", container(JUDGE), "sh", "-c", LOOK, "sh", trusted(), address("lb1"), DOMAIN)
    assert ran.code == 0, f"{JUDGE} has no testssl.sh (roles/fleet/files/baked-packages), or it failed: {ran.output}"
    found = json.loads(ran.output)
    told = {one["id"]: one["finding"] for one in found}
    assert "overall_grade" in told, f"no grade: is {JUDGE} no Debian 13?"
    assert PARTS - set(told) == set()
    assert [one for one in found if one["severity"] not in ("OK", "INFO") and one["id"] not in NOT_OURS] == []
    assert told["overall_grade"] == "A+"
