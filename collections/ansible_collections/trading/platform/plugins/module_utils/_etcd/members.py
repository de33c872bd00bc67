# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of an etcd cluster, from the API's answers, against those of the inventory. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Member:
    """One member as the cluster knows it. It has no name until it has started once."""

    name: str
    id: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    learner: bool

    def fact(self) -> dict[str, Any]:
        return {**asdict(self), "peer_urls": list(self.peer_urls), "client_urls": list(self.client_urls)}


def members(answer: Mapping[str, Any]) -> list[Member]:
    """From the answer to cluster/member/list, sorted by name."""
    found = [
        Member(
            name=str(raw.get("name", "")),
            id=str(raw["ID"]),
            peer_urls=tuple(raw.get("peerURLs", [])),
            client_urls=tuple(raw.get("clientURLs", [])),
            learner=bool(raw.get("isLearner", False)),
        )
        for raw in answer.get("members", [])
    ]
    return sorted(found, key=lambda one: (one.name, one.peer_urls))


def differences(found: Sequence[Member], wanted: Mapping[str, str]) -> list[str]:
    """What the cluster and the inventory do not agree about, each with what to do."""
    here = {url: one for one in found for url in one.peer_urls}
    problems = [
        f"{name} ({url}) is in the inventory and not in the cluster: playbooks/etcd_replace_member.yml adds it."
        for name, url in wanted.items()
        if url not in here
    ]
    problems += [
        f"{one.name or 'a member that never started'} ({url}) is in the cluster and not in the inventory: nothing was "
        "removed. playbooks/etcd_replace_member.yml puts another in its place."
        for url, one in here.items()
        if url not in wanted.values()
    ]
    return problems


@dataclass(frozen=True)
class Replacement:
    """What it takes to put a new member in the place of a lost one."""

    remove: tuple[Member, ...]
    add: bool


def replacement(found: Sequence[Member], healthy: Sequence[str], name: str, url: str, instead_of: str) -> Replacement:
    """Refused where the member is well, or where those that are left could not decide.

    `healthy` are the ids that answer. A learner that has started is the work of an earlier run, and is kept.
    """
    lost = tuple(one for one in found if one.name in {name, instead_of} - {""} or url in one.peer_urls)
    well = [one for one in lost if one.id in healthy]
    if any(not one.learner for one in well):
        raise ValueError(
            f"etcd member {well[0].name} is healthy: there is nothing to replace, and the cluster was not changed. To "
            "replace a member that works, stop it first (systemctl stop etcd)."
        )
    rest = [one for one in found if one not in lost and not one.learner]
    alive = [one for one in rest if one.id in healthy]
    voters = len(rest) + sum(1 for one in lost if not one.learner)
    if len(alive) < voters // 2 + 1:
        raise ValueError(
            f"etcd has lost its quorum: {len(alive)} of {voters} members are healthy, {voters // 2 + 1} must agree "
            "to a change. The cluster was not changed. Bring another back, or restore a snapshot "
            "(playbooks/etcd_restore.yml)."
        )
    if well:
        return Replacement(tuple(one for one in lost if one not in well), add=False)
    return Replacement(lost, add=True)


def initial_cluster(found: Sequence[Member], name: str, url: str) -> str:
    """ETCD_INITIAL_CLUSTER of a member that joins: all members, and itself by the name that it will have."""
    pairs = [f"{one.name}={each}" for one in found for each in one.peer_urls if each != url and one.name]
    return ",".join([*sorted(pairs), f"{name}={url}"])
