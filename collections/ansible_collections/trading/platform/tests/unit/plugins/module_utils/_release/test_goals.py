# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.trading.platform.plugins.module_utils._release.goals import goal, standby
from ansible_collections.trading.platform.plugins.module_utils._release.records import ReleaseError

IMAGE = f"app@sha256:{'0' * 64}"
V1, V1B, V2 = "v1-aaaaaaaa", "v1-bbbbbbbb", "v2-aaaaaaaa"


def look(live: str | None, previous: str | None = None, other: tuple[str, str] | None = None, **at: str) -> Any:
    """What the module release tells of a host, with when it came to know each release."""
    known = {name: at.get(name[:2] + name[3:4], "1") for name in (V1, V1B, V2)}
    return {
        "live": {"release": live} if live else None,
        "other": {"release": other[0], "purpose": other[1]} if other else None,
        "previous": previous,
        "releases": list(known),
        "records": {
            name: {
                "version": name[:2],
                "configuration": name[3:],
                "services": [{"name": "api", "image": IMAGE}],
                "created": created,
            }
            for name, created in known.items()
        },
    }


def without(name: str, seen: Any) -> Any:
    del seen["records"][name]
    seen["releases"].remove(name)
    return seen


def both(*hosts: Any) -> dict[str, Any]:
    return {f"app{number}": host for number, host in enumerate(hosts, 1)}


@pytest.mark.parametrize(
    ("seen", "wanted", "found"),
    [
        (both(look(V2, V1), look(V2, V1)), "", V1),
        (both(look(V2, V1), look(V2, V1B)), "", V1),
        # The newest of v1 is another one on app2.
        (both(look(V2, v1b="2"), look(V2, v1a="2")), "v1", V1B),
        (both(look(V1, V2), look(V2, V1)), V1, V1),
    ],
)
def test_goal(seen: dict[str, Any], wanted: str, found: str) -> None:
    assert goal(seen, wanted) == found


@pytest.mark.parametrize(
    ("seen", "wanted", "says"),
    [
        # A rollback that was killed between the hosts, and run again.
        (both(look(V1), look(V2, V1)), "", rf"app1 {V1}, app2 {V2}.*-e to=NAME.*Nothing was changed"),
        (both(look(None), look(V2, V1)), "", f"app1 nothing, app2 {V2}"),
        (both(look(V1), look(V1, V2)), "", rf"no release before this one.*{V1}, .*{V2}.*-e to="),
        (both(look(V2), look(V2)), "v77", "v77 is unknown.*nothing was touched"),
        (both(look(V2), without(V1, look(V2))), V1, rf"app2 does not know {V1}, but {V1B}, {V2}"),
    ],
)
def test_no_goal(seen: dict[str, Any], wanted: str, says: str) -> None:
    with pytest.raises(ReleaseError, match=says):
        goal(seen, wanted)


def test_standby() -> None:
    assert standby(both(*[look(V2, other=(V1, "standby"))] * 2)) == V1


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (both(look(V2, other=(V1, "standby")), look(V2)), "app2 has no second set.*rollback.yml"),
        (both(look(V2, other=(V1, "canary"))), "app1 has no second set"),
        # The way back was killed between the hosts.
        (both(look(V1, other=(V2, "standby")), look(V2, other=(V1, "standby"))), f"app1 {V1}, app2 {V2}.*-e to=NAME"),
        (both(look(V2, other=(V1, "standby")), look(V2, other=(V1B, "standby"))), "cross them"),
    ],
)
def test_no_standby(seen: dict[str, Any], says: str) -> None:
    with pytest.raises(ReleaseError, match=says):
        standby(seen)
