# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check found, and how it is told."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

WIDTH = 116
HOSTS_NAMED = 4


@dataclass(frozen=True)
class Problem:
    """One thing to mend: what is wrong, where it is written, what to do next."""

    what: str
    do: str
    where: str = ""
    hosts: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    warning: bool = False


def merged(problems: Iterable[Problem]) -> list[Problem]:
    """The same problem on several hosts is one problem."""
    found: dict[Problem, list[str]] = {}
    for problem in problems:
        key = replace(problem, hosts=())
        hosts = found.setdefault(key, [])
        hosts.extend(host for host in problem.hosts if host not in hosts)
    return [replace(key, hosts=tuple(hosts)) for key, hosts in found.items()]


def brief(hosts: Sequence[str], everyone: int = 0) -> str:
    """`db1, db2`, or `all 8 hosts`, or `12 hosts: app1, app2, app3, app4, ...`."""
    if not hosts:
        return ""
    if len(hosts) > 1 and len(hosts) == everyone:
        return f"all {everyone} hosts"
    if len(hosts) <= HOSTS_NAMED:
        return ", ".join(hosts)
    return f"{len(hosts)} hosts: {', '.join(hosts[:HOSTS_NAMED])}, ..."


def counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def listing(problems: Sequence[Problem], everyone: int = 0) -> str:
    """Numbered, each with what, where, what to do."""
    return "\n".join(line for number, problem in enumerate(problems, 1) for line in _lines(number, problem, everyone))


def _lines(number: int, problem: Problem, everyone: int) -> list[str]:
    hosts = f" ({brief(problem.hosts, everyone)})" if problem.hosts else ""
    head = f"{number:>3}. "
    lines = _wrapped(f"{problem.what}{hosts}", head)
    for item in problem.items:
        lines += _wrapped(item, "       - ")
    if problem.where:
        lines.append(f"     where: {problem.where}")
    return lines + _wrapped(problem.do, "     do:    ")


def _wrapped(text: str, head: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def report(errors: Sequence[Problem], warnings: Sequence[Problem], inventory: str, everyone: int) -> str:
    """The whole message of a failed inventory stage."""
    parts = [
        f"preflight found {counted(len(errors), 'problem')} in {inventory}; nothing was changed:",
        listing(errors, everyone),
    ]
    if warnings:
        parts += [f"and {counted(len(warnings), 'warning')}:", listing(warnings, everyone)]
    return "\n".join(parts)
