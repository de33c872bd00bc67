# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pass over a host's certificates leaves for the rest of the run."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._pki.store import Store
from ansible_collections.trading.platform.plugins.module_utils._pki.work import Outcome, keep, told

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
WEB = {"name": "web", "common_name": "web", "dns": ["lb1"], "ip": [], "usages": ["server"], "topic": "renewed: web"}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The module's parameters on a host without certificates, with a CA of its own."""
    monkeypatch.setattr(Store, "_own", lambda *_: False)
    made = ["req", "-x509", *CURVE, "-subj", "/CN=ca", "-days", "1000", "-keyout", "ca.key", "-out", "ca.pem"]
    subprocess.run(["openssl", *made], cwd=tmp_path, check=True, capture_output=True)
    named = {"owner": "root", "group": "root", "key_mode": "0640", "role": None}
    return {
        "directory": str(tmp_path / "pki"),
        "certificates": [{**WEB, **named}],
        "renew_before_days": 30,
        "ca_certificate": (tmp_path / "ca.pem").read_text(),
        "also_trusted": "",
        "trust_system": False,
        "signed": {},
    }


def landed(host: dict[str, Any], days: int = 90) -> Outcome:
    """Asked for, signed as the controller does, and landed."""
    asked = keep(host, check=False)
    ca = Path(host["directory"]).parent
    (ca / "names").write_text("subjectAltName=DNS:lb1\nextendedKeyUsage=serverAuth\n")
    signer = ["x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", str(days), "-extfile", "names"]
    pem = subprocess.run(
        ["openssl", *signer], cwd=ca, check=True, capture_output=True, text=True, input=asked.requests["web"]
    ).stdout
    return keep({**host, "signed": {"web": pem}}, check=False)


def test_what_is_due_is_not_settled(host: dict[str, Any]) -> None:
    outcome = keep(host, check=False)
    assert (list(outcome.requests), outcome.settled, outcome.topics) == (["web"], [], [])


def test_what_landed_is_settled_and_to_be_told(host: dict[str, Any]) -> None:
    outcome = landed(host)
    assert (outcome.settled, outcome.topics) == (["web"], ["renewed: web"])


def test_a_later_run_is_told_what_the_first_one_left(host: dict[str, Any]) -> None:
    landed(host)
    again = keep(host, check=False)
    assert (again.changed, again.settled, again.topics) == (False, ["web"], ["renewed: web"])


def test_the_note_is_struck_once(host: dict[str, Any]) -> None:
    landed(host)
    struck = told({**host, "told": ["renewed: web"]}, check=False)
    assert (struck.changed, struck.topics) == (True, [])
    assert keep(host, check=False).topics == []


def test_what_is_soon_due_is_not_settled(host: dict[str, Any]) -> None:
    landed(host, days=20)
    assert keep(host, check=False).settled == []
