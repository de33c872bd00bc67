# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of `pgbackrest info --output=json`, as 2.45 and 2.55.1 with bundles and block increments said it."""

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest import stanza
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.stanza import read_info
from ansible_collections.trading.platform.plugins.module_utils._pgbackrest.wal import BackupError

INFO_245 = (
    b'[{"archive":[{"database":{"id":1,"repo-key":1},"id":"15-1","max":"000000010000000000000009","min":"0'
    b'00000010000000000000001"}],"backup":[{"archive":{"start":"000000010000000000000003","stop":"00000001'
    b'0000000000000003"},"backrest":{"format":5,"version":"2.45"},"database":{"id":1,"repo-key":1},"error"'
    b':false,"info":{"delta":30463710,"repository":{"delta":3485024,"size":3485024},"size":30463710},"labe'
    b'l":"20261121-192450F","lsn":{"start":"0/3000028","stop":"0/3000100"},"prior":null,"reference":null,"'
    b'timestamp":{"start":1795289090,"stop":1795289094},"type":"full"},{"archive":{"start":"00000001000000'
    b'0000000006","stop":"000000010000000000000006"},"backrest":{"format":5,"version":"2.45"},"database":{'
    b'"id":1,"repo-key":1},"error":false,"info":{"delta":7913738,"repository":{"delta":668560,"size":34852'
    b'16},"size":30463710},"label":"20261121-192450F_20261121-192456I","lsn":{"start":"0/6000028","stop":"'
    b'0/6000100"},"prior":"20261121-192450F","reference":["20261121-192450F"],"timestamp":{"start":1795289'
    b'096,"stop":1795289097},"type":"incr"}],"cipher":"aes-256-cbc","db":[{"id":1,"repo-key":1,"system-id"'
    b':7710707906699643543,"version":"15"}],"name":"main","repo":[{"cipher":"aes-256-cbc","key":1,"status"'
    b':{"code":0,"message":"ok"}}],"status":{"code":0,"lock":{"backup":{"held":false}},"message":"ok"}}]'
)
INFO_255 = (
    b'[{"archive":[{"database":{"id":1,"repo-key":1},"id":"15-1","max":"000000010000000000000009","min":"0'
    b'00000010000000000000001"}],"backup":[{"archive":{"start":"000000010000000000000003","stop":"00000001'
    b'0000000000000003"},"backrest":{"format":5,"version":"2.55.1"},"database":{"id":1,"repo-key":1},"erro'
    b'r":false,"info":{"delta":30463710,"repository":{"delta":3946712,"delta-map":29896,"size-map":29896},'
    b'"size":30463710},"label":"20261121-193334F","lsn":{"start":"0/3000028","stop":"0/3000100"},"prior":n'
    b'ull,"reference":null,"timestamp":{"start":1795289614,"stop":1795289617},"type":"full"},{"archive":{"'
    b'start":"000000010000000000000006","stop":"000000010000000000000006"},"backrest":{"format":5,"version'
    b'":"2.55.1"},"database":{"id":1,"repo-key":1},"error":false,"info":{"delta":7913730,"repository":{"de'
    b'lta":9984,"delta-map":5896,"size-map":29912},"size":30463710},"label":"20261121-193334F_20261121-193'
    b'339I","lsn":{"start":"0/6000028","stop":"0/6000100"},"prior":"20261121-193334F","reference":["202611'
    b'21-193334F"],"timestamp":{"start":1795289619,"stop":1795289621},"type":"incr"}],"cipher":"aes-256-cb'
    b'c","db":[{"id":1,"repo-key":1,"system-id":7710710167880906705,"version":"15"}],"name":"main","repo":'
    b'[{"cipher":"aes-256-cbc","key":1,"status":{"code":0,"message":"ok"}}],"status":{"code":0,"lock":{"ba'
    b'ckup":{"held":false}},"message":"ok"}}]'
)
STATUS = (
    b'[{"archive":[],"backup":[],"cipher":"aes-256-cbc","db":[],"name":"main","repo":[{"cipher":"aes-256-cbc","key":1,'
    b'"status":{"code":%d,"message":"%s"}}],"status":{"code":%d,"lock":{"backup":{"held":true}},"message":"other"}}]'
)
MISSING = STATUS % (1, b"missing stanza path", 1)
# With a wrong passphrase the message holds the raw bytes.
UNREADABLE = STATUS % (99, b"[FormatError] key/value found outside of section at line 1: \xff\xc3\x01\x02\n", 99)
FLAGGED = INFO_245.replace(b'"error":false', b'"error":true')


@pytest.mark.parametrize(
    ("raw", "system_id", "labels", "sizes"),
    [
        (
            INFO_245,
            "7710707906699643543",
            ["20261121-192450F", "20261121-192450F_20261121-192456I"],
            [3485024, 3485216],
        ),
        (INFO_255, "7710710167880906705", ["20261121-193334F", "20261121-193334F_20261121-193339I"], [None, None]),
    ],
)
def test_info(raw: bytes, system_id: str, labels: list[str], sizes: list[int | None]) -> None:
    found = read_info(raw, "main")
    assert (found.code, found.system_id, found.archive_id, found.running) == (0, system_id, "15-1", False)
    assert [one.label for one in found.good] == labels
    assert [one.repo_size for one in found.sets] == sizes
    assert [(one.type, one.prior, one.timeline) for one in found.sets] == [("full", None, 1), ("incr", labels[0], 1)]
    first = found.sets[0]
    assert (first.stop_lsn, first.end, first.size) == ("0/3000100", 0x3000100, 30463710)
    assert stanza.facts(found)["archive"] == [
        {"database": 1, "id": "15-1", "min": "000000010000000000000001", "max": "000000010000000000000009"}
    ]
    stanza.restorable(found, system_id)
    assert stanza.added(found.sets[:1], found.sets) == [found.sets[1]]


def test_earliest_is_the_second_after_the_oldest() -> None:
    found = read_info(INFO_245, "main")
    assert found.sets[0].stop == "2026-11-21T19:24:54+00:00"
    assert stanza.iso(found.earliest or 0) == "2026-11-21T19:24:55+00:00"


@pytest.mark.parametrize(
    ("raw", "system_id", "says"),
    [
        (MISSING, None, "missing stanza path. Look at repo1-path"),
        (UNREADABLE, None, "repo1-cipher-pass in /etc/pgbackrest/conf.d is not the one"),
        (FLAGGED, None, "20261121-192450F_20261121-192456I hold pages with wrong checksums"),
        (INFO_245, "1", "system id 7710707906699643543, asked for was 1: these are backups of another cluster"),
    ],
)
def test_not_restorable(raw: bytes, system_id: str | None, says: str) -> None:
    with pytest.raises(BackupError) as error:
        stanza.restorable(read_info(raw, "main"), system_id)
    assert says in str(error.value)
    assert str(error.value).endswith("Nothing was changed.")
    assert str(error.value).isascii()


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'[{"name":"main"}]', INFO_245.replace(b'"main"', b'"other"')])
def test_unreadable_info(raw: bytes) -> None:
    with pytest.raises(BackupError, match=r"info of stanza main cannot be read .* Nothing was changed\.$"):
        read_info(raw, "main")


def test_a_set_by_its_label() -> None:
    found = read_info(INFO_255, "main")
    assert found.find("20261121-193334F").type == "full"
    with pytest.raises(BackupError, match="has no set X; it has 20261121-193334F, "):
        found.find("X")


def test_running() -> None:
    assert read_info(MISSING, "main").running
