# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules as files: timers of systemd, or the same as lines of cron."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
SHORT = {
    "hourly": "*-*-* *:00",
    "daily": "*-*-* 00:00",
    "weekly": "Mon *-*-* 00:00",
    "monthly": "*-*-01 00:00",
}
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# The last value of each field, for a step that begins somewhere.
LAST = {"minute": 59, "hour": 23, "day": 31, "month": 12}
TIMER = """# Managed by Ansible
[Unit]
Description={what}, {name}

[Timer]
Unit={unit}@{name}.service
OnCalendar={calendar}
RandomizedDelaySec={jitter}
# Made up for where the host was down.
Persistent=true

[Install]
WantedBy=timers.target
"""
CRON = """# Managed by Ansible
PATH=/usr/sbin:/usr/bin:/sbin:/bin
{lines}"""


@dataclass(frozen=True)
class Job:
    """What is run: its template unit is UNIT@NAME.service, its line of cron COMMAND NAME."""

    unit: str
    what: str
    user: str
    command: str


def timer_files(schedules: Sequence[Mapping[str, str]], scheduler: str, jitter: int, job: Job) -> dict[str, str]:
    """Content by path. What cron cannot say is refused with either, so that a change of mind works."""
    for one in schedules:
        if not NAME.fullmatch(one["name"]):
            raise ValueError(f"{one['name']!r} is no schedule's name: small letters, digits and -, 31 at most")
    lines = {one["name"]: cron_time(one["calendar"]) for one in schedules}
    if scheduler == "cron":
        return {
            f"etc/cron.d/trading-{job.unit}": CRON.format(
                lines="".join(cron_line(name, lines[name], jitter, job) for name in lines)
            )
        }
    return {
        f"etc/systemd/system/{job.unit}-{one['name']}.timer": TIMER.format(
            what=job.what,
            unit=job.unit,
            name=one["name"],
            calendar=SHORT.get(one["calendar"], one["calendar"]),
            jitter=jitter,
        )
        for one in schedules
    }


def cron_line(name: str, when: str, jitter: int, job: Job) -> str:
    return f"{when} {job.user} systemd-cat -t {job.unit} {job.command} {name} --jitter {jitter}\n"


def cron_time(calendar: str) -> str:
    """Minute, hour, day of the month, month, day of the week."""
    words = SHORT.get(calendar, calendar).split()
    weekday = words.pop(0) if words and words[0][0].isalpha() else "*"
    date = words.pop(0) if words and "-" in words[0] else "*-*-*"
    parts, clock = date.split("-"), words[0].split(":") if len(words) == 1 else []
    if (
        len(parts) != len(("year", "month", "day"))
        or parts[0] != "*"
        or len(clock) not in {2, 3}
        or clock[2:] not in ([], ["00"])
    ):
        raise ValueError(
            f"{calendar!r} is no calendar expression that cron can say too. Write '*-*-* 01:30', '*-*-* *:15',"
            " 'Mon..Fri *-*-* 04:00' or hourly, daily, weekly, monthly"
        )
    fields = [field(clock[1], "minute"), field(clock[0], "hour"), field(parts[2], "day"), field(parts[1], "month")]
    return " ".join([*fields, days(weekday)])


def field(text: str, kind: str) -> str:
    return ",".join(one_of(part, kind) for part in text.split(","))


def one_of(text: str, kind: str) -> str:
    found = re.fullmatch(r"(\*|\d+)(?:\.\.(\d+))?(?:/(\d+))?", text)
    if not found or any(int(number) > LAST[kind] for number in found.groups() if number and number != "*"):
        raise ValueError(f"{text!r} is no {kind} of a calendar expression")
    first, last, step = found.groups()
    if step and first != "*":
        last = last or str(LAST[kind])
    return (
        (first if first == "*" else str(int(first)))
        + (f"-{int(last)}" if last else "")
        + (f"/{int(step)}" if step else "")
    )


def days(text: str) -> str:
    if text == "*":
        return "*"
    return ",".join("-".join(day(name) for name in part.split("..")) for part in text.split(","))


def day(name: str) -> str:
    short = name[:3].lower()
    if short not in DAYS:
        raise ValueError(f"{name!r} is no day of the week; write {', '.join(one.title() for one in DAYS)}")
    # Sunday is the end of a range that began before.
    return str(DAYS.index(short) or 7)
