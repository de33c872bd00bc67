# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two sites say of themselves, and what may be done with them. Pure.

A look is what `dr_site.py look` prints on a host; an empty one is a host that could not be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Looks: TypeAlias = "Mapping[str, Mapping[str, Any]]"
UNTOUCHED = "Nothing was changed."


@dataclass(frozen=True)
class Sites:
    """The first site is where production belongs; the second follows it."""

    first: Looks
    second: Looks
    gone: bool = False
    max_behind_bytes: int = 64 << 20
    max_behind_seconds: float = 300


@dataclass
class Verdict:
    stage: str = ""
    problems: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def hosts(looks: Looks, state: str) -> list[str]:
    """A host that could not be asked is in the state ''."""
    return [name for name, look in looks.items() if str((look or {}).get("state") or "") == state]


def number(lsn: str) -> int:
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def told(sites: Sites) -> list[str]:
    return [
        f"{name}: {line}"
        for looks in (sites.first, sites.second)
        for name, look in looks.items()
        for line in ((look or {}).get("lines") or ["it could not be asked"])
    ]


def behind(sites: Sites) -> tuple[int, float] | None:
    """Bytes and seconds by which the second site lacks what the first one has; None where either is not known."""
    leads, follows = hosts(sites.first, "primary"), hosts(sites.second, "standby")
    if not leads or not follows:
        return None
    leader, follower = sites.first[leads[0]], sites.second[follows[0]]
    missing = max(0, number(str(leader["lsn"])) - number(str(follower["lsn"])))
    last = follower.get("last_commit")
    return missing, max(0.0, float(leader["now"]) - float(last)) if missing and last else 0.0


def setup(sites: Sites) -> Verdict:
    verdict = Verdict("build")
    leads = hosts(sites.second, "primary")
    if leads:
        verdict.problems.append(
            f"{leads[0]} leads: the second site has taken over, and is not built again over that."
            f" playbooks/dr_failback.yml gives production back. {UNTOUCHED}"
        )
    elif hosts(sites.first, "down") and not hosts(sites.first, "primary"):
        # One that cannot say is no reason against it: before the first setup nobody has the program.
        verdict.problems.append(
            f"No host of the first site is a primary, so there is nobody to follow. See patronictl list. {UNTOUCHED}"
        )
    return verdict


def test(sites: Sites) -> Verdict:
    verdict = Verdict("warm")
    follows = hosts(sites.second, "standby")
    if not follows:
        verdict.problems.append("No host of the second site follows: run playbooks/dr_setup.yml, see patronictl list.")
        return verdict
    for name in follows:
        look = sites.second[name]
        failed = [str(one["name"]) for one in look.get("checks") or [] if not one["ok"]]
        verdict.problems += [f"{name}: {one} has another answer than it should have" for one in failed]
        if int(look.get("behind_bytes") or 0) > sites.max_behind_bytes:
            verdict.problems.append(
                f"{name} has {look['behind_bytes']} bytes of the archive yet to replay, allowed are"
                f" {sites.max_behind_bytes}: see journalctl -u patroni there."
            )
    lag = behind(sites)
    if lag is None:
        verdict.lines.append("the first site has no primary that answers, so what it has beyond its archive is unknown")
        return verdict
    verdict.lines.append(f"behind the first site's primary: {lag[0]} bytes, at most {lag[1]:.1f} s of commits")
    if lag[1] > sites.max_behind_seconds:
        verdict.problems.append(
            f"The second site lacks {lag[1]:.0f} s of commits, allowed are {sites.max_behind_seconds:.0f}: does the"
            " first site archive? See backup.yml -e do=list."
        )
    return verdict


def failover(sites: Sites) -> Verdict:
    """The heart of it: two sites that take writes are worse than none."""
    if hosts(sites.second, "primary"):
        return Verdict("done")
    verdict = Verdict("promote")
    leads = hosts(sites.first, "primary")
    silent = hosts(sites.first, "")
    if not hosts(sites.second, "standby"):
        verdict.problems.append(f"No host of the second site follows, so none can take over. {UNTOUCHED}")
    if leads:
        verdict.problems.append(
            f"{', '.join(leads)} still takes writes. Where that site has to be left although it lives: stop its"
            " applications, stop patroni on all its database hosts, the replicas first, and run this again."
            f" {UNTOUCHED}"
        )
    if silent and not sites.gone:
        verdict.problems.append(
            f"{', '.join(silent)} could not be asked, which is not the same as dead. See that nothing runs there (the"
            " provider's console, a phone call, the power), then say -e old_site_is_gone=true."
            f" {UNTOUCHED}"
        )
    return verdict


def failback(sites: Sites) -> Verdict:
    """By what there is, so that a run that was killed goes on where it was."""
    verdict = Verdict()
    silent = [*hosts(sites.first, ""), *hosts(sites.second, "")]
    first, second = hosts(sites.first, "primary"), hosts(sites.second, "primary")
    if silent:
        verdict.problems.append(f"{', '.join(silent)} could not be asked: bring it back first. {UNTOUCHED}")
    elif first and second:
        verdict.problems.append(
            f"{first[0]} and {second[0]} both take writes. Decide whose writes count, stop patroni on the other"
            f" site's hosts, and run this again. {UNTOUCHED}"
        )
    elif first:
        verdict.stage = "done" if hosts(sites.second, "standby") else "finish"
    elif hosts(sites.first, "standby"):
        verdict.stage = "switch"
    elif second:
        verdict.stage = "follow"
    else:
        verdict.problems.append(
            f"Neither site leads, and the first one does not follow. Start patroni at the second site. {UNTOUCHED}"
        )
    if verdict.stage == "follow" and not any((look or {}).get("sets") for look in sites.first.values()):
        verdict.problems.append(
            "The second site has no backup of its own yet to bring the first one back from: take one there"
            f" (systemctl start backup@full), and run this again. {UNTOUCHED}"
        )
    return verdict


OPERATIONS: Mapping[str, Callable[[Sites], Verdict]] = {
    "setup": setup,
    "test": test,
    "failover": failover,
    "failback": failback,
}


def judge(operation: str, sites: Sites) -> dict[str, Any]:
    verdict = OPERATIONS[operation](sites)
    return {"stage": verdict.stage, "problems": verdict.problems, "lines": [*told(sites), *verdict.lines]}
