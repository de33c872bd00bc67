# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._firewall.plan import (
    Commit,
    Observed,
    digest,
    make_plan,
)

NEW = "new text"
OLD = "old text"
QUIET = Observed(NEW, Commit("t", digest(NEW), "listing"), "listing", boot_unit_ready=True, pending=False)


@pytest.mark.parametrize(
    ("seen", "reasons", "before", "after"),
    [
        (QUIET, [], NEW, NEW),
        (
            Observed(None, None, None, boot_unit_ready=False, pending=False),
            [
                "no rules were committed yet",
                "the table is not loaded",
                "the boot unit is missing, altered or not enabled",
            ],
            "",
            NEW,
        ),
        (
            QUIET._replace(boot_text=OLD, commit=Commit("t", digest(OLD), "listing")),
            ["the rules differ from the committed ones"],
            OLD,
            NEW,
        ),
        (QUIET._replace(live=None), ["the table is not loaded"], "", "listing"),
        (
            QUIET._replace(live="listing and more"),
            ["the loaded table is not the one that was committed"],
            "listing and more",
            "listing",
        ),
        (
            QUIET._replace(boot_unit_ready=False),
            ["the boot unit is missing, altered or not enabled"],
            "listing",
            "listing",
        ),
        # Killed after the boot file was written, before the commit: the live table is the old one and looks committed.
        (
            QUIET._replace(commit=Commit("t", digest(OLD), "listing")),
            ["the last commit was interrupted"],
            "listing",
            "listing",
        ),
        (QUIET._replace(commit=None), ["the loaded table is not the one that was committed"], NEW, NEW),
        (
            QUIET._replace(pending=True),
            ["an earlier change was never confirmed; it is put back before this one is tried"],
            "listing",
            "listing",
        ),
    ],
)
def test_the_plan_says_why_and_shows_what(seen: Observed, reasons: list[str], before: str, after: str) -> None:
    assert make_plan(NEW, seen) == (tuple(reasons), before, after)
