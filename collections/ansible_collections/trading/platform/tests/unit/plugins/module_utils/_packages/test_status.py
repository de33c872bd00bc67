# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is missing, by dpkg's records."""

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._packages.status import (
    Entry,
    PackagesError,
    Wanted,
    describe,
    in_inventory,
    inventory,
    look,
    parse,
    to_reinstall,
    verdict,
    wanted,
)


def stanza(name: str, status: str = "install ok installed", version: str = "1.0-1", arch: str = "amd64") -> str:
    return (
        f"Package: {name}\nStatus: {status}\nPriority: optional\nArchitecture: {arch}\nVersion: {version}\n"
        f"Config-Version: 0.9\nDescription: a thing\n Status: install ok half-installed\n"
    )


def status(*stanzas: str) -> str:
    return "\n".join(stanzas)


CHRONY = stanza("chrony", version="4.3-2+deb12u1")
BOTH = status(stanza("libc6"), stanza("libc6", arch="i386", version="1.1"))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("chrony", ("chrony", "", "")),
        ("g++", ("g++", "", "")),
        ("libc6:i386", ("libc6", "i386", "")),
        ("a2=1:2.0~rc1-1+b1", ("a2", "", "1:2.0~rc1-1+b1")),
        ("libc6:amd64=2.36-9", ("libc6", "amd64", "2.36-9")),
    ],
)
def test_wanted(entry: str, expected: tuple[str, str, str]) -> None:
    assert wanted([entry, entry]) == [Wanted(entry, *expected)]


@pytest.mark.parametrize(
    "entry", ["", "Chrony", "chrony-", "chrony*", "chrony=1.*", "chrony=", "a b", "-y", "chrony;id"]
)
def test_not_a_package(entry: str) -> None:
    with pytest.raises(PackagesError, match=r"^not a package: .* exact version"):
        wanted(["auditd", entry])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n\n", []),
        ("Package: selected\nStatus: install ok not-installed", [Entry("selected", "", "", "not-installed")]),
        (CHRONY, [Entry("chrony", "amd64", "4.3-2+deb12u1", "installed")]),
        (BOTH, [Entry("libc6", "amd64", "1.0-1", "installed"), Entry("libc6", "i386", "1.1", "installed")]),
        (stanza("aa", "install reinstreq installed"), [Entry("aa", "amd64", "1.0-1", "half-installed")]),
    ],
)
def test_parse(text: str, expected: list[Entry]) -> None:
    assert list(parse(text)) == expected


@pytest.mark.parametrize(
    ("names", "text", "missing"),
    [
        ([], "", []),
        (["chrony"], "", ["chrony"]),
        (["chrony", "auditd"], CHRONY, ["auditd"]),
        (["chrony=4.3-2+deb12u1"], CHRONY, []),
        (["chrony=4.3-2"], CHRONY, ["chrony=4.3-2"]),
        (["chron"], CHRONY, ["chron"]),
        (["libc6", "libc6:i386", "libc6=1.1", "libc6:i386=1.1"], BOTH, []),
        (["libc6:arm64", "libc6:amd64=1.1"], BOTH, ["libc6:arm64", "libc6:amd64=1.1"]),
        (["aa"], stanza("aa", "hold ok installed"), []),
        (["aa"], stanza("aa", "deinstall ok installed"), []),
        (["aa"], stanza("aa", "deinstall ok config-files"), ["aa"]),
        (["aa"], stanza("aa", "install ok unpacked"), ["aa"]),
    ],
)
def test_missing(names: list[str], text: str, missing: list[str]) -> None:
    assert look(wanted(names), text, []).missing == missing


@pytest.mark.parametrize(
    ("text", "journal", "interrupted"),
    [
        (CHRONY, [], {}),
        (stanza("aa", "install ok unpacked"), [], {"aa:amd64": "unpacked"}),
        (stanza("aa", "install ok half-configured"), [], {"aa:amd64": "half-configured"}),
        (stanza("aa", "install reinstreq half-installed"), [], {"aa:amd64": "half-installed"}),
        (stanza("aa", "install ok triggers-pending"), [], {"aa:amd64": "triggers-pending"}),
        (stanza("aa", "deinstall ok config-files"), [], {}),
        (CHRONY, [CHRONY], {"dpkg": "stopped in the middle"}),
        (CHRONY, [stanza("aa", "install ok unpacked")], {"aa:amd64": "unpacked"}),
        (
            CHRONY,
            [stanza("chrony", "install ok unpacked"), stanza("chrony", "install ok half-configured")],
            {"chrony:amd64": "half-configured"},
        ),
    ],
)
def test_interrupted(text: str, journal: list[str], interrupted: dict[str, str]) -> None:
    assert look([], text, journal).interrupted == interrupted


def test_the_journal_is_newer_than_the_status() -> None:
    assert look(wanted(["chrony"]), CHRONY, [stanza("chrony", "install ok half-installed")]).missing == ["chrony"]


def test_to_reinstall() -> None:
    states = {"aa:amd64": "half-installed", "bb:all": "half-installed", "cc:amd64": "unpacked", "dpkg": "stopped"}
    assert to_reinstall(states) == ["aa:amd64", "bb"]


def test_describe() -> None:
    assert describe(["b"], {"aa:amd64": "unpacked"}) == {
        "before": "aa:amd64: unpacked\nb: absent\n",
        "after": "aa:amd64: finished\nb: installed\n",
    }


@pytest.mark.parametrize(
    ("missing", "interrupted", "parts"),
    [
        (["b", "c=2"], {}, ["not installed: b, c=2. apt said: no\n", "Run `apt-get install b c=2` on the host"]),
        (
            [],
            {"aa:amd64": "unpacked"},
            ["half installed: aa:amd64 (unpacked).", "-a; apt-get install --fix-broken` on"],
        ),
        (["b"], {"aa:amd64": "unpacked"}, ["not installed: b; half installed: aa:amd64", "-a; apt-get install b`"]),
    ],
)
def test_verdict(missing: list[str], interrupted: dict[str, str], parts: list[str]) -> None:
    message = verdict(missing, interrupted, "apt said: no\n")
    assert all(part in message for part in [*parts, "apt-cache policy"])


@pytest.mark.parametrize(
    ("records", "asked", "known"),
    [
        (CHRONY, ["chrony"], True),
        (CHRONY, ["chrony:amd64"], True),
        (CHRONY, ["chrony=4.3-2+deb12u1"], True),
        (CHRONY, ["chrony=4.4"], False),
        (CHRONY, ["chrony:i386"], False),
        (CHRONY, ["chrony", "auditd"], False),
        (BOTH, ["libc6:i386=1.1"], True),
        (stanza("chrony", "deinstall ok config-files"), ["chrony"], False),
        # A run that was killed in apt's middle is looked at, whatever is asked for.
        (status(CHRONY, stanza("auditd", "install ok unpacked")), ["chrony"], False),
        ("", [], False),
    ],
)
def test_what_an_inventory_settles(records: str, asked: list[str], known: bool) -> None:
    assert in_inventory(wanted(asked), inventory(records, [])) is known


def test_a_journal_without_an_end_leaves_no_inventory() -> None:
    assert inventory(CHRONY, [""]) == ""
