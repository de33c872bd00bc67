# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where going back leads: one release for all hosts, or a refusal. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .records import ReleaseError, find, names, read_record
from .telling import Looks


def goal(seen: Looks, wanted: str) -> str:
    """The full name. The first host decides: by themselves two hosts may take the same version for two releases."""
    first = next(iter(seen.values()))
    if not wanted and len(set(served(seen))) > 1:
        raise ReleaseError(
            f"The hosts serve different releases ({told(seen)}), so none is the one before. "
            "Say which one all are to serve: -e to=NAME. Nothing was changed."
        )
    if not wanted and not first["previous"]:
        raise ReleaseError(
            f"There is no release before this one to go back to. On record: {names(first['releases'])}. "
            "Say -e to=NAME for one of these. Nothing was changed."
        )
    found = find({name: read_record(one) for name, one in first["records"].items()}, wanted or first["previous"]).name
    for host, look in seen.items():
        if found not in look["records"]:
            raise ReleaseError(
                f"{host} does not know {found}, but {names(look['releases'])}. Name one that every host has "
                "(-e to=NAME), or use deploy.yml. Nothing was changed."
            )
    return found


def standby(seen: Looks) -> str:
    """The release of the second set that a blue-green release left on every host."""
    for host, look in seen.items():
        if (look["other"] or {}).get("purpose") != "standby":
            raise ReleaseError(
                f"{host} has no second set to go back to. Use rollback.yml, which starts one. Nothing was changed."
            )
    standing = {str(look["other"]["release"]) for look in seen.values()}
    if len(standing) > 1 or len(set(served(seen))) > 1:
        raise ReleaseError(
            f"The hosts serve different releases ({told(seen)}), so to go back would only cross them. "
            "Say which one all are to serve: rollback.yml -e to=NAME. Nothing was changed."
        )
    return standing.pop()


def served(seen: Looks) -> Sequence[str]:
    return [(look["live"] or {}).get("release", "nothing") for look in seen.values()]


def told(seen: Looks) -> str:
    return ", ".join(f"{host} {release}" for host, release in zip(seen, served(seen), strict=True))
