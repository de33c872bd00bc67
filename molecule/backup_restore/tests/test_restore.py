"""Restores to a moment give exactly the rows acknowledged before it, the second and third time as the first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import backups
import data
import pytest
from backups import STANZA, assert_holds, forget_what_is_aside, moment, refused, restore, wrote
from fleet import playbook
from probe import Ledger
from releases import arrived_at

# In CI the ledger is as small as the stories before have left it.
BYTES = 1_000_000_000 if os.environ.get("TEST_LONG") else 0


@dataclass(frozen=True)
class History:
    """Runs of the ledger with moments in between, on one timeline."""

    timeline: int
    runs: list[Ledger]
    time: str
    lsn: str
    xid: str
    name: str


def backed_up(schedule: str) -> None:
    ran = playbook("playbooks/backup.yml", "-e", "do=now", "-e", f"schedule={schedule}")
    assert ran.code == 0, ran.output


def back_to(timeline: int, target: str) -> None:
    """On the timeline that the first restore has left."""
    ran = restore("-e", target, "-e", f"timeline={timeline}")
    assert ran.code == 0, ran.output
    data.wait_healthy(120)
    forget_what_is_aside()


@pytest.fixture(scope="module")
def grown() -> Iterator[None]:
    """The size that is asked for, in a full and an incremental backup."""
    if not BYTES:
        yield
        return
    timeline, small = data.timeline(), moment()
    backups.grow(BYTES // 2)
    backed_up("full")
    backups.grow(BYTES)
    backed_up("incremental")
    yield
    back_to(timeline, f"to_time='{small}'")


@pytest.fixture(scope="module")
def history(grown: None) -> History:
    timeline, name = data.timeline(), "before_the_accident"
    runs = [wrote()]
    time = moment()
    runs.append(wrote())
    lsn = data.sql(data.primary(), "select pg_current_wal_lsn()")
    runs.append(wrote())
    xid = data.sql(data.primary(), "select pg_current_xact_id() from pg_logical_emit_message(true, 'story', 'x')")
    runs.append(wrote())
    data.sql(data.primary(), f"select pg_create_restore_point('{name}')")
    runs.append(wrote())
    backups.archived()
    return History(timeline, runs, time, lsn, xid, name)


def standing() -> tuple[str, int, str]:
    """Equal before and after: nothing was stopped, nothing restored."""
    main = data.primary()
    return main, data.timeline(), data.postmaster(main)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-e", "latest=true"], "type the cluster's name"),
        pytest.param(["-e", f"confirm={STANZA}"], "Say where to", marks=pytest.mark.long),
        (["-e", "latest=true", "-e", f"confirm={STANZA}", "--limit", "db1"], "no --limit"),
        (
            ["-e", "to_time='2020-01-01 00:00:00+00:00'", "-e", f"confirm={STANZA}"],
            # The second where the cluster has been through failovers before its first backup.
            "before the end of the first backup|no backup lies on timeline",
        ),
        (["-e", "to_time='2099-01-01 00:00:00+00:00'", "-e", f"confirm={STANZA}"], "Nothing was changed"),
        # A gigabyte of logs is more than is looked into unasked.
        pytest.param(["-e", "to_name=never", "-e", f"confirm={STANZA}"], "raise max_segments", marks=pytest.mark.long),
        pytest.param(
            ["-e", "to_name=never", "-e", "backup_max_segments=500", "-e", f"confirm={STANZA}"],
            "never",
            marks=pytest.mark.long,
        ),
    ],
)
def test_an_impossible_restore_stops_nothing(history: History, arguments: list[str], says: str) -> None:
    before = standing()
    refused("restore_pitr", *arguments, says=says)
    assert standing() == before


def test_a_check_says_how_and_changes_nothing(history: History) -> None:
    before = standing()
    ran = restore("-e", f"to_time='{history.time}'", "--check")
    assert ran.code == 0, ran.output
    assert "are stopped" in ran.output, ran.output
    assert standing() == before


def test_to_a_time(history: History) -> None:
    asked = {"to_time": history.time, "confirm": STANZA}
    with arrived_at("Restore | Work out how", "restore_pitr", **asked) as first:
        refused("restore_pitr", "-e", "latest=true", "-e", f"confirm={STANZA}", says="is being changed")
        output = first.communicate(timeout=600)[0]
    assert first.returncode == 0, output
    data.wait_healthy(120)
    assert_holds(history.runs[:1], history.runs[1:])
    assert data.timeline() > history.timeline
    forget_what_is_aside()
    # Backups go on, on the new timeline.
    backed_up("incremental")


@pytest.mark.long
@pytest.mark.parametrize(
    ("target", "kept"), [("to_lsn={0.lsn}", 2), ("to_xid={0.xid}", 3), ("to_name={0.name}", 4), ("latest=true", 5)]
)
def test_forward_again_on_the_timeline_that_was_left(history: History, target: str, kept: int) -> None:
    """pgBackRest and PostgreSQL by themselves stay on the timeline of the first restore, and miss the target."""
    back_to(history.timeline, target.format(history))
    assert_holds(history.runs[:kept], history.runs[kept:])
