# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program by which a site knows of the other one: who may run, and how far it has come."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from program import imported

ROOT = Path(__file__).resolve().parents[2]
site: Any = imported(ROOT / "roles/dr/templates/tree/usr/local/lib/trading-platform/dr_site.py")
host: Any = sys.modules["dr_site_host"]
claims: Any = sys.modules["dr_site_claims"]
replay: Any = sys.modules["dr_site_replay"]
handover: Any = sys.modules["dr_site_handover"]
positions: Any = sys.modules["dr_site_positions"]
lost: Any = sys.modules["dr_site_lost"]
ARCHIVE = {"database": {"id": 1}, "id": "15-1", "min": "000000010000000000000001", "max": "00000002000000000000000A"}
CONTROL = """Database cluster state:               shut down
Latest checkpoint location:           0/A000028
Latest checkpoint's TimeLineID:       2
"""


def claim(since: float) -> dict[str, Any]:
    return {"site": "dr", "since": since}


@pytest.mark.parametrize(
    ("mine", "other", "follows", "free"),
    [
        ({}, {}, {}, True),
        # The other one has taken over, and this one knows nothing of it.
        ({}, claim(10), {}, False),
        (claim(5), claim(10), {}, False),
        # Built anew, it follows that very claim; a later one is news again.
        ({}, claim(10), claim(10), True),
        (claim(5), claim(12), claim(10), False),
        # This one has taken over last.
        (claim(20), claim(10), {}, True),
        (claim(20), {}, {}, True),
        # That it once followed does not help when the other takes over again.
        (claim(20), claim(30), claim(10), False),
    ],
)
def test_who_may_run(mine: Any, other: Any, follows: Any, free: bool) -> None:
    why = claims.blocked(mine, other, follows)
    assert (why == "") is free
    assert free or "dr_failback" in why


def test_what_cannot_be_told_is_no_refusal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """systemd skips PostgreSQL in silence where the condition ends with 1."""
    (tmp_path / "settings.json").write_text('{"site": "one"')
    monkeypatch.setattr(site, "SETTINGS", tmp_path / "settings.json")
    monkeypatch.setattr(sys, "argv", ["dr_site.py", "check"])
    assert site.main() == 255


@pytest.mark.parametrize(
    ("stanza", "expected"),
    [
        ({}, (0, 0)),
        ({"archive": []}, (0, 0)),
        ({"archive": [ARCHIVE]}, (2, 0xB000000)),
        ({"archive": [ARCHIVE | {"max": None}]}, (0, 0)),
        # Another cluster's logs, before an upgrade, do not count.
        ({"archive": [ARCHIVE, ARCHIVE | {"database": {"id": 2}, "max": "000000010000000000000003"}]}, (1, 0x4000000)),
        ({"archive": [ARCHIVE | {"max": "0000000100000001000000FF"}]}, (1, 0x200000000)),
    ],
)
def test_where_the_archive_ends(stanza: Any, expected: tuple[int, int]) -> None:
    assert positions.archived(stanza) == expected


@pytest.mark.parametrize(
    ("lsn", "behind"),
    [("0/A000000", 16 << 20), ("0/B000000", 0), ("0/B000100", 0), ("0/AFFFFFF", 1), (None, 0xB000000)],
)
def test_how_far_behind_the_archive(lsn: str | None, behind: int) -> None:
    assert replay.judged({"lsn": lsn}, {"archive": [ARCHIVE]})["behind_bytes"] == behind


def test_where_a_server_ended() -> None:
    assert handover.ended(CONTROL) == {"timeline": 2, "lsn": "0/A000029", "segment": "00000002000000000000000A"}
    # A replica's last word is its primary's.
    assert handover.ended(CONTROL.replace("shut down", "shut down in recovery")) == {}
    with pytest.raises(host.Trouble, match="not shut down cleanly"):
        handover.ended(CONTROL.replace("shut down", "in production"))


@pytest.mark.parametrize(("timeline", "expected"), [(1, 0x5000000), (2, 0xA0000A0), (3, None)])
def test_where_a_timeline_was_left(timeline: int, expected: int | None) -> None:
    history = "1\t0/5000000\tno recovery target specified\n\n2\t0/A0000A0\tno recovery target specified\n"
    assert positions.fork(history, timeline) == expected


def test_positions_and_segments() -> None:
    assert positions.number("1/A000028") == 0x10A000028
    assert positions.position(0x10A000028) == "1/A000028"
    assert positions.segment(2, 0x10A000028) == "00000002000000010000000A"


def test_a_claim_can_be_read_while_the_repository_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    """An S3 that is away does not stop the site that leads."""
    monkeypatch.setattr(claims, "claimed", lambda *_: None)
    told = host.Settings("trading", "first", "/data", "/bin", 5432, [])
    assert claims.check(told, stop=True) == 0


def test_what_was_lost_to_a_site_without_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pg_wal").mkdir()
    (tmp_path / "pg_wal" / "000000010000000000000001").touch()
    monkeypatch.setattr(lost, "source", lambda told: {})
    told = host.Settings("main", "a", str(tmp_path), "/usr/bin", 5432, [])
    assert "archive is empty" in lost.lost(told)["lines"][0]
