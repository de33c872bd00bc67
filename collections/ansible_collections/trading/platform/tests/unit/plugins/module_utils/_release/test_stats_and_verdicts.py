# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What haproxy and the engine say, and what people are told of it."""

from __future__ import annotations

import pytest
from ansible_collections.trading.platform.plugins.module_utils._release import stats, verdicts
from ansible_collections.trading.platform.plugins.module_utils._release.records import Record, ReleaseError, Service
from ansible_collections.trading.platform.plugins.module_utils._release.slots import specs
from ansible_collections.trading.platform.plugins.module_utils._release.stats import Seen
from ansible_collections.trading.platform.plugins.module_utils._release.world import (
    Found,
    Place,
    Routes,
    State,
    read_routes,
    read_state,
    user_problems,
)

STAT = """# pxname,svname,scur,stot,econ,status,hrsp_5xx,check_status,check_code,req_tot,rtime,last_chk,
api,FRONTEND,1,9,,OPEN,0,,,9,,,
web,FRONTEND,0,0,,PAUSED,0,,,0,,,
api_blue,slot1,2,5,1,UP,1,L7OK,200,5,12,,
api_blue,slot2,0,0,0,DOWN,0,L7STS,503,0,0,Service Unavailable,
api_blue,BACKEND,2,5,1,UP,1,,,5,12,,
web_green,slot1,4,7,0,DRAIN,0,L7OK,200,7,3,,
web_green,BACKEND,4,7,0,UP,0,,,7,3,,
nothing_live,BACKEND,3,0,0,UP,0,,,0,0,,
"""
SERVERS = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_port
3 api_blue 1 slot1 10.213.0.17 2 0 3000
3 api_blue 2 slot2 10.213.0.18 0 8 3000
4 web_green 1 slot1 10.213.0.153 2 8 8080
"""


def test_slots_as_haproxy_sees_them() -> None:
    assert stats.seen(stats.read_stat(STAT), stats.read_servers(SERVERS)) == {
        ("api_blue", "slot1"): Seen("10.213.0.17", 3000, "UP", "L7OK 200", 2),
        ("api_blue", "slot2"): Seen("10.213.0.18", 3000, "DOWN", "L7STS 503 Service Unavailable", 0, taken_out=True),
        ("web_green", "slot1"): Seen("10.213.0.153", 8080, "DRAIN", "L7OK 200", 4, taken_out=True),
    }


@pytest.mark.parametrize(
    ("status", "up"),
    [("UP", True), ("UP 1/2", False), ("DOWN 1/2", False), ("no check", False), ("DRAIN", False), ("MAINT", False)],
)
def test_only_up_is_up(status: str, up: bool) -> None:
    assert Seen(status=status).up == up


@pytest.mark.parametrize(("admin", "taken_out"), [(0, False), (1, True), (4, True), (8, True), (2, False), (32, False)])
def test_taken_out_is_who_was_told_so(admin: int, taken_out: bool) -> None:
    told = SERVERS.replace("10.213.0.17 2 0 3000", f"10.213.0.17 2 {admin} 3000")
    assert stats.read_servers(told)["api_blue", "slot1"].taken_out == taken_out


def test_closed_ports() -> None:
    assert stats.closed(stats.read_stat(STAT)) == ["web"]


def test_counters() -> None:
    found = stats.counters(stats.read_stat(STAT))
    assert set(found) == {"blue", "green"}
    assert found["blue"] == {
        "api": {
            "requests": 5,
            "errors": 1,
            "connection_errors": 1,
            "response_ms": 12,
            "sessions": 2,
            "up": 1,
        }
    }
    assert found["green"]["web"]["up"] == 0


def test_sessions_of_a_colour_or_of_slots() -> None:
    rows = stats.read_stat(STAT)
    assert [stats.sessions(rows, colour) for colour in ("blue", "green")] == [2, 4]
    assert stats.sessions(rows, "blue", [("api_blue", "slot2")]) == 0
    assert stats.sessions(rows, "blue", [("api_blue", "slot1")]) == 2


@pytest.mark.parametrize("text", ["", "Unknown command. Please enter one of the following commands", "\n"])
def test_what_is_no_answer_fails(text: str) -> None:
    with pytest.raises(ReleaseError, match="is no table"):
        stats.read_stat(text)
    with pytest.raises(ReleaseError, match="is no table"):
        stats.read_servers(text)


def test_maps() -> None:
    assert stats.read_map("0x55 live blue\n0x56 share 20\n") == {"live": "blue", "share": "20"}
    assert stats.read_map("") == {}
    with pytest.raises(ReleaseError, match="it may not know the map"):
        stats.read_map("Unknown map identifier. Please use #<id> or <file>.")


@pytest.mark.parametrize(
    ("routes", "read"),
    [
        ({}, Routes()),
        ({"live": "none", "share": "0"}, Routes()),
        ({"live": "green", "share": "100"}, Routes("green", 100)),
        ({"live": "red", "share": "0"}, None),
        ({"live": "blue", "share": "101"}, None),
        ({"live": "blue", "share": "-1"}, None),
    ],
)
def test_routes(routes: dict[str, str], read: Routes | None) -> None:
    if read is None:
        with pytest.raises(ReleaseError, match=r"routes\.map makes no sense"):
            read_routes(routes, ())
    else:
        assert read_routes(routes, ()) == read


@pytest.mark.parametrize(
    "state", [State(), State(Place("a", "blue"), Place("b", "green", "canary"), ("a", "c")), State(None, None, ("a",))]
)
def test_state_comes_back(state: State) -> None:
    assert read_state(state.plain()) == state


@pytest.mark.parametrize(
    "raw",
    [
        {},
        [],
        {"live": None},
        {"live": {"release": "a", "colour": "red"}, "other": None, "history": []},
        {"live": None, "other": {"release": "a", "colour": "blue"}, "history": []},
    ],
)
def test_state_that_makes_no_sense(raw: object) -> None:
    with pytest.raises(ReleaseError, match="made anew from the routes and the containers"):
        read_state(raw)


@pytest.mark.parametrize(
    ("share", "users", "problems"),
    [
        (0, [], 0),
        (100, ["anna", "10.0.0.1", "2001:db8::1", "a@b"], 0),
        (-1, [], 1),
        (101, ["a b"], 2),
        (5, ["a;shutdown sessions", "", "x" * 129], 3),
    ],
)
def test_user_problems(share: int, users: list[str], problems: int) -> None:
    assert len(user_problems(share, users)) == problems


DIGEST = "sha256:" + "a404e401f503" * 5 + "dead"
WANTED = f"reg503.example:5000/trading/app@{DIGEST}"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("Get https://r:5000/v2/: no basic auth credentials", "refuses the user or password"),
        ("unauthorized: authentication required", "refuses the user or password"),
        ("unexpected status: 403 Forbidden", "refuses the user or password"),
        ("manifest for r/app@sha256:aa not found: manifest unknown", "has no such image"),
        ("manifest verification failed for digest sha256:aa", "not what the digest promised"),
        ("dial tcp 172.30.71.91:5000: connect: connection refused", "does not answer"),
        ("received unexpected HTTP status: 503 Service Unavailable", "does not answer"),
        ("net/http: request canceled while waiting for connection (Client.Timeout)", "does not answer"),
        ("unexpected EOF", "does not answer"),
        ("x509: certificate signed by unknown authority", "certificate is not trusted"),
        ("write /var/lib/docker/tmp/x: no space left on device", "disk of /var/lib/docker is full"),
        ("something else", f"cannot pull {WANTED}: something else"),
        # Digits of a digest, of a port, of a name and of a size are no status.
        (f"manifest for {WANTED} not found: manifest unknown", "has no such image"),
        (f"failed to resolve {WANTED}: unexpected status: 403 Forbidden", "refuses the user or password"),
        (
            f'Head "https://reg503.example:5000/v2/trading/app/manifests/{DIGEST}": tls: failed to verify certificate',
            "certificate is not trusted",
        ),
        (f"blob {DIGEST}: write /var/lib/docker/tmp/4013: no space left on device", "disk of /var/lib/docker is full"),
        (
            f"failed to register layer {DIGEST}: lookup reg503.example:5000 said 5003",
            f"cannot pull {WANTED}: failed to register",
        ),
    ],
)
def test_why_a_pull_failed(error: str, says: str) -> None:
    told = verdicts.pull(WANTED, error)
    assert says in told
    assert told.startswith(f"cannot pull {WANTED}: ")


def found(status: str, exit_code: int = 0, oom: bool = False) -> Found:
    return Found("c", "r", "blue", "s", status, exit_code, oom=oom)


@pytest.mark.parametrize(
    ("container", "says"),
    [
        (found("running"), None),
        (found("created"), None),
        (found("exited", 3), "exited with code 3"),
        (found("exited", 0), "exited with code 0"),
        (found("restarting", 1), "exited with code 1"),
        (found("exited", 127), "exited with code 127, its command does not exist in the image"),
        (found("exited", 137, oom=True), "was killed for using more than its memory limit"),
        (found("exited", 137), "exited with code 137, killed by SIGKILL"),
        (found("paused"), "is paused"),
    ],
)
def test_why_a_container_is_broken(container: Found, says: str | None) -> None:
    reason = verdicts.ended(container)
    assert reason is None if says is None else says in (reason or "")


SERVICES = (
    Service("api", "i", port=3000, ready="/readyz"),
    Service("worker", "i", ready="/tmp/ok"),
    Service("job", "i"),
)
API, WORKER, JOB = specs(Record("v1", "00000001", SERVICES), "blue", "10.213.0.0/24")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            verdicts.never_ready(
                API, 60, Seen(status="DOWN", check="L7STS 503"), verdicts.answered(503, "no\ndatabase")
            ),
            'was not ready within 60 s: /readyz answered 503 "no database"; haproxy\'s check: L7STS 503',
        ),
        (
            verdicts.never_ready(API, 2.5, None, "did not answer (timed out)"),
            "was not ready within 2.5 s: /readyz did not answer (timed out); haproxy does not know it",
        ),
        (verdicts.never_ready(WORKER, 60, None, ""), "was not ready within 60 s: /tmp/ok is missing in it"),
        (verdicts.never_ready(JOB, 60, None, ""), "was not ready within 60 s: it does not keep running"),
        (verdicts.answered(503, ""), "answered 503 without a word"),
        (verdicts.failure("c", "exited with code 3", []), "container c exited with code 3. It wrote no log."),
        (
            verdicts.failure("c", "exited with code 3", ["one", "two"]),
            "container c exited with code 3. Its last 2 log lines:\n  one\n  two",
        ),
    ],
)
def test_what_people_read(text: str, says: str) -> None:
    assert text == says
