"""etcd on the standing fleet: one of three stopped, one killed, a changed configuration, strangers; writes go on."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import data
import pytest
from fleet import address, container, docker, inside, playbook, site
from probe import Ledger, prepare, secret

MEMBERS = ["db1", "db2", "ops1"]
CA = "/etc/trading-platform/pki/etcd/ca.pem"

# Writes through whichever member answers until it is told to stop, and says how long it once could not.
WRITER = """
import base64, json, os, ssl, sys, time, urllib.request
context = ssl.create_default_context(cafile=sys.argv[1])
members, tokens = sys.argv[2].split(","), {}
password, stop = sys.stdin.readline().strip(), "/run/etcd-story-stop"
def call(member, path, body):
    headers = {"Authorization": tokens[member]} if member in tokens else {}
    request = urllib.request.Request(f"https://{member}:2379/v3/{path}", json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request, timeout=2, context=context))
text = lambda word: base64.b64encode(word.encode()).decode()
written, gap, last, end, number = 0, 0.0, time.monotonic(), time.monotonic() + 120, 0
while time.monotonic() < end and not os.path.exists(stop):
    number += 1
    for member in members:
        try:
            if member not in tokens:
                tokens[member] = call(member, "auth/authenticate", {"name": "patroni", "password": password})["token"]
            call(member, "kv/put", {"key": text("/service/story"), "value": text(str(number))})
            read = call(member, "kv/range", {"key": text("/service/story")})
            assert base64.b64decode(read["kvs"][0]["value"]).decode() == str(number), "another value was read"
        except OSError:
            tokens.pop(member, None)
            continue
        written, gap, last = written + 1, max(gap, time.monotonic() - last), time.monotonic()
        break
    time.sleep(0.02)
for member in members:
    try:
        call(member, "kv/deleterange", {"key": text("/service/story")})
        break
    except (OSError, KeyError):
        continue
print(json.dumps({"written": written, "gap": round(max(gap, time.monotonic() - last), 2)}))
"""


def healthy(name: str) -> bool:
    asked = 'import urllib.request; print(urllib.request.urlopen("http://127.0.0.1:2381/health", timeout=3).read())'
    return '"health":"true"' in docker("exec", container(name), "python3", "-c", asked).output


def wait_healthy(*names: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not all(healthy(name) for name in names):
        assert time.monotonic() < end, f"not healthy after {seconds} s: {[n for n in names if not healthy(n)]}"
        time.sleep(0.3)


class Writer:
    """The writer inside db1's container, from its first write to its report."""

    def __init__(self) -> None:
        inside("db1", "rm -f /run/etcd-story-stop")
        places = ",".join(address(name) for name in MEMBERS)
        self.process = subprocess.Popen(
            ["docker", "exec", "-i", container("db1"), "python3", "-c", WRITER, CA, places],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(f"{secret('postgres_etcd_password')}\n")
        self.process.stdin.flush()
        time.sleep(1)

    def stop(self) -> dict[str, Any]:
        inside("db1", "touch /run/etcd-story-stop")
        printed, _ = self.process.communicate(timeout=30)
        return dict(json.loads(printed))


@pytest.fixture
def writer() -> Iterator[Writer]:
    wait_healthy(*MEMBERS)
    one = Writer()
    yield one
    if one.process.poll() is None:
        one.stop()
    wait_healthy(*MEMBERS)


def test_one_of_three_stopped_and_reads_and_writes_go_on(writer: Writer) -> None:
    inside("ops1", "systemctl stop etcd")
    try:
        time.sleep(4)
    finally:
        inside("ops1", "systemctl start etcd")
    report = writer.stop()
    # An election, where it was the leader, and a client's timeout.
    assert report["gap"] < 5, report
    assert report["written"] > 20, report


def test_a_killed_member_comes_back_by_itself(writer: Writer) -> None:
    inside("db2", "systemctl kill --signal=KILL etcd")
    wait_healthy("db2")
    report = writer.stop()
    assert report["gap"] < 5, report


@pytest.mark.long
def test_a_changed_configuration_restarts_one_after_the_other(writer: Writer) -> None:
    changed = playbook("site.yml", "--tags", "etcd", "-e", "etcd_snapshot_count=10001")
    back = playbook("site.yml", "--tags", "etcd")
    report = writer.stop()
    assert changed.code == 0, changed.output
    assert back.code == 0, back.output
    assert all(changed.changed[name] for name in MEMBERS), changed.output
    assert report["gap"] < 5, report


def etcdctl(host: str, *words: str) -> str:
    return docker("exec", "-e", "ETCDCTL_API=3", container(host), "etcdctl", "--command-timeout=3s", *words).output


@pytest.mark.parametrize("words", [("get", "--prefix", "/"), ("put", "/service/x", "1"), ("user", "list")])
def test_without_a_password_nothing_is_read_or_written(words: tuple[str, ...]) -> None:
    said = etcdctl("db2", f"--cacert={CA}", f"--endpoints=https://{address('db1')}:2379", *words)
    assert "user name is empty" in said, said


def test_plaintext_is_refused() -> None:
    script = f"import urllib.request; urllib.request.urlopen('http://{address('db1')}:2379/health', timeout=3)"
    # 3.4 hangs up, others may answer with 400; what must not come is an answer.
    said = docker("exec", container("db2"), "python3", "-c", script)
    assert said.code != 0
    assert "RemoteDisconnected" in said.output or "HTTP Error 400" in said.output, said.output


def test_a_peer_without_a_certificate_is_refused() -> None:
    script = (
        f"import ssl, urllib.request; c = ssl.create_default_context(cafile='{CA}');"
        f" urllib.request.urlopen('https://{address('db1')}:2380/members', timeout=3, context=c)"
    )
    said = docker("exec", container("db2"), "python3", "-c", script).output.lower()
    # The server's alert: a certificate that we could not verify would say another thing.
    assert "alert" in said, said
    assert "certificate" in said, said


@pytest.mark.parametrize("port", [2379, 2380, 2381])
def test_other_hosts_reach_no_port(port: int) -> None:
    script = f"import socket; socket.create_connection(('{address('db1')}', {port}), 2)"
    said = docker("exec", container("app1"), "python3", "-c", script)
    assert "timed out" in said.output, said.output


def test_data_of_another_cluster_is_not_started() -> None:
    inside("ops1", "systemctl stop etcd; sed -i 's/.*/foreign/' /var/lib/etcd/platform/.trading-platform-cluster")
    try:
        said = inside("ops1", "/usr/local/lib/trading-platform/etcd-guard 2>&1; echo code=$?")
    finally:
        inside("ops1", "echo trading >/var/lib/etcd/platform/.trading-platform-cluster; systemctl start etcd")
    assert "belongs to another cluster: it carries 'foreign'" in said
    assert "code=1" in said
    wait_healthy(*MEMBERS)


def test_a_snapshot_is_whole_and_a_healthy_member_is_not_replaced(tmp_path: Path) -> None:
    taken = playbook("playbooks/etcd_snapshot.yml", "-e", f"etcd_snapshot_fetch_to={tmp_path}/etcd.db")
    assert taken.code == 0, taken.output
    assert (tmp_path / "etcd.db").stat().st_mode & 0o777 == 0o600
    assert "keys" in taken.output
    refused = playbook(
        "playbooks/etcd_replace_member.yml", "-e", "etcd_replace_member=ops1", "-e", "etcd_replace_confirm=ops1"
    )
    assert refused.code != 0
    assert "there is nothing to replace" in refused.output


@pytest.mark.long
def test_a_restore_beside_patroni_loses_no_order(tmp_path: Path) -> None:
    """The snapshot still names the other one as leader, and every member has lost its data."""
    snapshot = tmp_path / "etcd.db"
    assert playbook("playbooks/etcd_snapshot.yml", "-e", f"etcd_snapshot_fetch_to={snapshot}").code == 0
    assert playbook("playbooks/switchover.yml").code == 0
    data.wait_healthy()
    where = data.primary(), data.timeline()
    prepare()
    with Ledger("app1", seconds=240) as run:
        run.wait_ready()
        for name in MEMBERS:
            inside(name, "systemctl stop etcd; rm -rf /var/lib/etcd/platform/member")
        restored = playbook(
            "playbooks/etcd_restore.yml",
            "-e", f"etcd_restore_file={snapshot}", "-e", "etcd_restore_confirm=trading",
        )  # fmt: skip
        assert restored.code == 0, restored.output
        data.wait_healthy(60)
        result = run.result()
    # The proxies cut connections while the primary's agent starts.
    result.assert_sound()
    assert result.longest_gap_s < 20, result.figures
    assert (data.primary(), data.timeline()) == where
    again = site("--tags", "data")
    assert again.code == 0, again.output
    assert set(again.changed.values()) == {0}, again.output


@pytest.mark.long
def test_a_blank_member_waits_for_the_one_that_has_the_data() -> None:
    """etcd knows no cluster and one member lost its disk: whoever is first would begin an empty one."""
    blank, keeper = data.replica(), data.primary()
    cluster = data.sql(keeper, "select system_identifier from pg_control_system()")
    disk = data.sql(blank, "show data_directory")
    for name in (blank, keeper):
        inside(name, "systemctl stop patroni")
    inside(blank, f"rm -rf {disk}")
    inside(keeper, f"printf 'trading\\nYes I am aware\\n' | {data.PATRONICTL} remove trading")
    alone = site("--tags", "postgres", "--limit", blank)
    assert alone.code != 0
    assert f"{keeper} may have the data of trading" in alone.output, alone.output
    assert inside(blank, "systemctl is-active patroni || true").strip() == "inactive"
    both = site("--tags", "postgres")
    assert both.code == 0, both.output
    data.wait_healthy()
    assert data.primary() == keeper
    assert data.sql(blank, "select system_identifier from pg_control_system()") == cluster


@pytest.mark.long
def test_a_member_whose_data_is_lost_is_replaced() -> None:
    """FAULT 4, where the disk is gone, too."""
    wanted = ("-e", "etcd_replace_member=ops1", "-e", "etcd_replace_confirm=ops1")
    prepare()
    with Ledger("app1", seconds=180, rate=100) as run:
        run.wait_ready()
        inside("ops1", "systemctl stop etcd && rm -r /var/lib/etcd/platform/member")
        assert not healthy("ops1")
        ran = playbook("playbooks/etcd_replace_member.yml", *wanted)
        assert ran.code == 0, ran.output
        wait_healthy(*MEMBERS)
        run.result().assert_unnoticed()
    again = site("--tags", "etcd")
    assert again.code == 0, again.output
    assert set(again.changed.values()) == {0}, again.output
