# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules as files."""

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._backup.schedules import Job, cron_time, timer_files

JOB = Job("backup", "Backup of the database", "postgres", "/usr/local/lib/trading-platform/backup_run.py run")
FULL = {"name": "full", "type": "full", "calendar": "*-*-* 01:30"}


@pytest.mark.parametrize(
    ("calendar", "cron"),
    [
        ("*-*-* 01:30", "30 1 * * *"),
        ("*-*-* 01:30:00", "30 1 * * *"),
        ("01:30", "30 1 * * *"),
        ("*-*-* *:15", "15 * * * *"),
        ("*-*-* *:00/20", "0-59/20 * * * *"),
        ("*-*-* *:*/20", "*/20 * * * *"),
        ("*-*-* 8..18:00", "0 8-18 * * *"),
        ("*-*-* 00,12:05", "5 0,12 * * *"),
        ("Sun *-*-* 03:00", "0 3 * * 7"),
        ("Mon..Fri *-*-* 04:00", "0 4 * * 1-5"),
        ("Sat..Sun 04:00", "0 4 * * 6-7"),
        ("Tuesday,Thu 04:00", "0 4 * * 2,4"),
        ("*-*-01 02:00", "0 2 1 * *"),
        ("*-06-01 02:00", "0 2 1 6 *"),
        ("hourly", "0 * * * *"),
        ("weekly", "0 0 * * 1"),
    ],
)
def test_what_systemd_says_cron_says_too(calendar: str, cron: str) -> None:
    assert cron_time(calendar) == cron


@pytest.mark.parametrize(
    ("calendar", "why"),
    [
        ("", "no calendar expression"),
        ("2026-12-24 18:00", "no calendar expression"),
        ("*-*-* 01:30:15", "no calendar expression"),
        ("*-*-* 1", "no calendar expression"),
        ("*-*-* 25:00", "no hour"),
        ("*-*-* 1x:00", "no hour"),
        ("Foo 01:00", "no day of the week"),
        ("*-*-~1 01:00", "no day"),
    ],
)
def test_what_only_one_of_them_can_say_is_refused(calendar: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        cron_time(calendar)


def test_timers() -> None:
    files = timer_files([FULL], "systemd", 120, JOB)
    assert list(files) == ["etc/systemd/system/backup-full.timer"]
    text = files["etc/systemd/system/backup-full.timer"]
    assert "OnCalendar=*-*-* 01:30\n" in text
    assert "Unit=backup@full.service\n" in text
    assert "RandomizedDelaySec=120\n" in text


def test_cron() -> None:
    files = timer_files([FULL, {"name": "incr", "type": "incr", "calendar": "hourly"}], "cron", 60, JOB)
    lines = files["etc/cron.d/trading-backup"].splitlines()[-2:]
    program = "postgres systemd-cat -t backup /usr/local/lib/trading-platform/backup_run.py run"
    assert lines == [f"30 1 * * * {program} full --jitter 60", f"0 * * * * {program} incr --jitter 60"]


def test_a_name_becomes_a_unit() -> None:
    with pytest.raises(ValueError, match="no schedule's name"):
        timer_files([{**FULL, "name": "../x"}], "systemd", 0, JOB)
