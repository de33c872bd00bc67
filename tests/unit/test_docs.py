# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A link in the documentation that stays inside the repository leads to a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("roles/*/README.md"))]
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)")


def links() -> list[tuple[str, str]]:
    """(page, link), both as text that a test's name can carry."""
    return [(str(page.relative_to(ROOT)), link) for page in PAGES for link in LINK.findall(page.read_text())]


def test_every_page_of_docs_is_in_its_index() -> None:
    linked = {link for page, link in links() if page == "docs/README.md"}
    assert {page.name for page in ROOT.glob("docs/*.md")} - {"README.md"} <= linked


@pytest.mark.parametrize(("page", "link"), links())
def test_the_link_leads_somewhere(page: str, link: str) -> None:
    assert (ROOT / page).parent.joinpath(link).exists(), f"{page} links {link}, which is not there"
