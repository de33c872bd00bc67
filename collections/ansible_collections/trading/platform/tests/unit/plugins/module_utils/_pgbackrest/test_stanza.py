# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of `pgbackrest info --output=json`, as 2.45 and 2.55.1 with bundles and block increments said it."""

from __future__ import annotations

import json

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
# Two repositories of 2.45, each with a full set of its own; the first one has an incremental set, too.
INFO_TWO = (
    b'[{"archive":[{"database":{"id":1,"repo-key":1},"id":"15-1","max":"000000010000000000000007","min":"0'
    b'00000010000000000000001"},{"database":{"id":1,"repo-key":2},"id":"15-1","max":"000000010000000000000'
    b'007","min":"000000010000000000000001"}],"backup":[{"archive":{"start":"000000010000000000000002","st'
    b'op":"000000010000000000000002"},"backrest":{"format":5,"version":"2.45"},"database":{"id":1,"repo-ke'
    b'y":1},"error":false,"info":{"delta":23213773,"repository":{"delta":2855808,"size":2855808},"size":23'
    b'213773},"label":"20261128-121254F","lsn":{"start":"0/2000028","stop":"0/2000100"},"prior":null,"refe'
    b'rence":null,"timestamp":{"start":1795867974,"stop":1795867975},"type":"full"},{"archive":{"start":"0'
    b'00000010000000000000003","stop":"000000010000000000000004"},"backrest":{"format":5,"version":"2.45"}'
    b',"database":{"id":1,"repo-key":2},"error":false,"info":{"delta":23213773,"repository":{"delta":28558'
    b'08,"size":2855808},"size":23213773},"label":"20261128-121256F","lsn":{"start":"0/3000028","stop":"0/'
    b'4000050"},"prior":null,"reference":null,"timestamp":{"start":1795867976,"stop":1795867978},"type":"f'
    b'ull"},{"archive":{"start":"000000010000000000000006","stop":"000000010000000000000006"},"backrest":{'
    b'"format":5,"version":"2.45"},"database":{"id":1,"repo-key":1},"error":false,"info":{"delta":1523977,'
    b'"repository":{"delta":160032,"size":2860000},"size":23254732},"label":"20261128-121254F_20261128-121'
    b'259I","lsn":{"start":"0/6000028","stop":"0/6000100"},"prior":"20261128-121254F","reference":["202611'
    b'28-121254F"],"timestamp":{"start":1795867979,"stop":1795867981},"type":"incr"}],"cipher":"aes-256-cb'
    b'c","db":[{"id":1,"repo-key":1,"system-id":7713194197747142693,"version":"15"},{"id":1,"repo-key":2,"'
    b'system-id":7713194197747142693,"version":"15"}],"name":"main","repo":[{"cipher":"aes-256-cbc","key":'
    b'1,"status":{"code":0,"message":"ok"}},{"cipher":"aes-256-cbc","key":2,"status":{"code":0,"message":"'
    b'ok"}}],"status":{"code":0,"lock":{"backup":{"held":false}},"message":"ok"}}]'
)
AWAY = b"[HostConnectError] unable to get address for 'b.localhost': [-2] Name or service not known"
STATUS = (
    b'[{"archive":[],"backup":[],"cipher":"aes-256-cbc","db":[],"name":"main","repo":[{"cipher":"aes-256-cbc","key":1,'
    b'"status":{"code":%d,"message":"%s"}}],"status":{"code":%d,"lock":{"backup":{"held":true}},"message":"other"}}]'
)
MISSING = STATUS % (1, b"missing stanza path", 1)
# With a wrong passphrase the message holds the raw bytes.
UNREADABLE = STATUS % (99, b"[FormatError] key/value found outside of section at line 1: \xff\xc3\x01\x02\n", 99)


def away(raw: bytes) -> bytes:
    """What is left of it where the first repository cannot be reached, as 2.45 said it."""
    (one,) = json.loads(raw)
    for kind in ("archive", "backup", "db"):
        one[kind] = [each for each in one[kind] if each.get("database", each)["repo-key"] != 1]
    one["repo"][0]["status"] = {"code": 99, "message": AWAY.decode()}
    one["status"] |= {"code": 4, "message": "different across repos"}
    return json.dumps([one]).encode()


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
    (found,) = read_info(raw, "main")
    assert (found.repo, found.code, found.system_id, found.archive_id) == (1, 0, system_id, "15-1")
    assert not found.running
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


@pytest.mark.parametrize(
    ("raw", "states"),
    [
        (
            INFO_TWO,
            [
                (1, 0, ["20261128-121254F", "20261128-121254F_20261128-121259I"], "000000010000000000000007"),
                (2, 0, ["20261128-121256F"], "000000010000000000000007"),
            ],
        ),
        (away(INFO_TWO), [(1, 99, [], ""), (2, 0, ["20261128-121256F"], "000000010000000000000007")]),
    ],
    ids=["both", "the first one is away"],
)
def test_each_repository_has_a_state_of_its_own(raw: bytes, states: list[tuple[int, int, list[str], str]]) -> None:
    found = read_info(raw, "main")
    assert [(one.repo, one.code, [each.label for each in one.good], one.reach) for one in found] == states


def test_a_database_has_another_number_in_a_younger_repository() -> None:
    """After an upgrade it is the second one there, and the first one of what came later."""
    (one,) = json.loads(INFO_TWO)
    one["db"].append({"id": 2, "repo-key": 1, "system-id": 8, "version": "17"})
    assert [each.archive_id for each in read_info(json.dumps([one]).encode(), "main")] == ["17-2", "15-1"]


def test_what_is_told_of_a_repository() -> None:
    span = {"earliest": "2026-11-28T12:12:59+00:00", "latest": None}
    first, second = read_info(away(INFO_TWO), "main")
    assert stanza.told(first, span) == [f"it cannot be read: {AWAY.decode()}"]
    assert stanza.told(second, span) == [
        "20261128-121256F: full, 22 MiB, ended 2026-11-28T12:12:58+00:00",
        "any moment from 2026-11-28T12:12:59+00:00 to the end of the logs",
    ]


def test_earliest_is_the_second_after_the_oldest() -> None:
    (found,) = read_info(INFO_245, "main")
    assert found.sets[0].stop == "2026-11-21T19:24:54+00:00"
    assert stanza.iso(found.earliest or 0) == "2026-11-21T19:24:55+00:00"


@pytest.mark.parametrize(
    ("raw", "system_id", "says"),
    [
        (MISSING, None, "main in repository 1 cannot be restored: missing stanza path. Look at repo1-path"),
        (away(INFO_TWO), None, "repository 1 of stanza main cannot be read: [HostConnectError] unable to get address"),
        (UNREADABLE, None, "repo1-cipher-pass in /etc/pgbackrest/conf.d is not the one"),
        (FLAGGED, None, "20261121-192450F_20261121-192456I hold pages with wrong checksums"),
        (INFO_245, "1", "system id 7710707906699643543, asked for was 1: these are backups of another cluster"),
    ],
)
def test_not_restorable(raw: bytes, system_id: str | None, says: str) -> None:
    with pytest.raises(BackupError) as error:
        stanza.restorable(read_info(raw, "main")[0], system_id)
    assert says in str(error.value)
    assert str(error.value).endswith("Nothing was changed.")
    assert str(error.value).isascii()


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'[{"name":"main"}]', INFO_245.replace(b'"main"', b'"other"')])
def test_unreadable_info(raw: bytes) -> None:
    with pytest.raises(BackupError, match=r"info of stanza main cannot be read .* Nothing was changed\.$"):
        read_info(raw, "main")


def test_a_set_by_its_label() -> None:
    (found,) = read_info(INFO_255, "main")
    assert found.find("20261121-193334F").type == "full"
    with pytest.raises(BackupError, match="has no set X; it has 20261121-193334F, "):
        found.find("X")


def test_running() -> None:
    assert read_info(MISSING, "main")[0].running
