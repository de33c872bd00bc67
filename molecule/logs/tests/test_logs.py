"""FAULT 31: the log store away, then the collector. Each line once, masked; strangers refused; erasing one person."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Iterator

import edge
import logstore
import pytest
import releases
import watch
from data import wait_until
from fleet import address, container, docker, inside, playbook, site, standing
from probe import execute

RATE, SECONDS = 1000, 20
HOST = "app1"
# Of the collector, and bytes that its spool has in the story in which it is full.
SETTINGS, SMALL = "/etc/trading-platform/log-collector/store.json", 1 << 20
# Runs on the store's host: the timer's program, with other settings than its file's where the argument has them.
RETAIN = """
import json, sys
sys.path.insert(0, "/usr/local/lib/trading-platform")
import log_retention
settings = json.loads(log_retention.SETTINGS.read_text()) | {"metrics": "/nowhere/it"} | json.loads(sys.argv[1])
sys.exit(log_retention.run(log_retention.Node(settings), settings))
"""


@pytest.fixture(autouse=True)
def _healed() -> Iterator[None]:
    yield
    for name in ("elasticsearch", "log-collector"):
        docker("exec", container(logstore.COLLECTOR), "systemctl", "start", name)
    logstore.wait_store()


def finish(writing: subprocess.Popen[str], count: int = RATE * SECONDS, rate: float = RATE) -> None:
    """Whoever writes was not held up: as many lines a second as were wanted."""
    took = writing.communicate(timeout=300)[0]
    assert writing.returncode == 0
    assert count > 0.95 * rate * float(took), f"{count} lines took {took} s"


@pytest.mark.parametrize("host", standing())
def test_a_line_of_any_host_is_found_exactly_once(host: str) -> None:
    run = logstore.new_run()
    finish(logstore.write(host, run, 5), 5, 0)
    logstore.delivered(run, 5, 60).assert_exactly_once()
    status, said = logstore.ask(
        "POST", "/logs-*/_search", {"query": {"term": {"http.request.id": run}}}, user="logs_reader"
    )
    assert status == 200
    assert {hit["_source"]["host"]["name"] for hit in said["hits"]["hits"]} == {host}


def test_the_store_is_away_under_load() -> None:
    run = logstore.new_run()
    writing = logstore.write(HOST, run, RATE * SECONDS, RATE)
    time.sleep(3)
    logstore.unit(logstore.COLLECTOR, "kill --signal=KILL", "elasticsearch")
    logstore.unit(logstore.COLLECTOR, "stop", "elasticsearch")
    finish(writing)
    logstore.unit(logstore.COLLECTOR, "start", "elasticsearch")
    logstore.delivered(run, RATE * SECONDS, 300).assert_exactly_once()


@pytest.mark.long
def test_the_store_is_away_and_the_collectors_disk_is_full() -> None:
    """Then the hosts' journals are the queue: nobody is held up, it is told, nothing is dropped."""
    run = logstore.new_run()
    inside(logstore.COLLECTOR, f"cp -p {SETTINGS} /run/kept")
    try:
        inside(logstore.COLLECTOR, rf"sed -i -E 's/(spool_bytes.: )[0-9]+/\1{SMALL}/' {SETTINGS}")
        logstore.unit(logstore.COLLECTOR, "restart", "log-collector")
        logstore.unit(logstore.COLLECTOR, "stop", "elasticsearch")
        finish(logstore.write(HOST, run, RATE * SECONDS, RATE))
        level = "trading_log_store_waiting_bytes"
        watch.wait_for("the metric", lambda: watch.query(f"{level} >= {SMALL}"), 90)
        # It is written and fetched every ten seconds; by then all lines were here if nothing made them wait.
        time.sleep(25)
        assert float(watch.query(level)[0]["value"][1]) < 4 * SMALL
        logstore.unit(logstore.COLLECTOR, "start", "elasticsearch")
        logstore.delivered(run, RATE * SECONDS, 300).assert_exactly_once()
    finally:
        inside(logstore.COLLECTOR, f"mv /run/kept {SETTINGS} && systemctl restart log-collector")


@pytest.mark.long
@pytest.mark.parametrize("how", ["stop", "kill --signal=KILL"])
def test_the_collector_is_away_under_load(how: str) -> None:
    run = logstore.new_run()
    writing = logstore.write(HOST, run, RATE * SECONDS, RATE)
    time.sleep(3)
    logstore.unit(logstore.COLLECTOR, how, "log-collector")
    time.sleep(5)
    logstore.unit(logstore.COLLECTOR, "start", "log-collector")
    finish(writing)
    logstore.delivered(run, RATE * SECONDS, 300).assert_exactly_once()


@pytest.mark.long
def test_the_hosts_rsyslog_is_killed_under_load() -> None:
    run = logstore.new_run()
    writing = logstore.write(HOST, run, RATE * SECONDS, RATE)
    for _time in range(3):
        time.sleep(3)
        logstore.unit(HOST, "kill --signal=KILL", "rsyslog")
    finish(writing)
    logstore.delivered(run, RATE * SECONDS, 300).assert_exactly_once()


def test_what_is_masked_never_reaches_the_store() -> None:
    run = logstore.new_run()
    secret = f"hunter-{run}"
    line = {
        "request_id": run, "n": 0, "message": f"joe-{run}@example.com paid with 4111 1111 1111 1111",
        "url": f"postgres://app:{secret}@db1/x", "header": f"Authorization: Bearer {secret}",
        "account": "DE89370400440532013000",
    }  # fmt: skip
    execute(HOST, "logger", "--tag", "story", json.dumps(line))
    logstore.delivered(run, 1, 60).assert_exactly_once()
    _status, said = logstore.ask("POST", "/logs-*/_search", {"query": {"term": {"http.request.id": run}}})
    text = json.dumps(said)
    assert "[mail]" in text
    for word in (f"joe-{run}", secret, "4111 1111", "DE8937"):
        assert word not in text
    # Nor does the collector have it on disk.
    found = inside(logstore.COLLECTOR, f"grep -rlF {secret} /var/lib/log-collector || true")
    assert found == ""


def test_a_request_is_found_from_the_edge_to_the_database() -> None:
    """An order of shares that there are not: the database refuses it, and says in its log for whom it was."""
    releases.any_release()
    door, who = edge.HOSTS[0], {"email": f"{logstore.new_run()}@trading.test", "password": secrets.token_hex(12)}
    made = edge.post(door, "/api/register", {**who, "full_name": "Story"})
    assert made.status == 201, made
    token = json.loads(edge.post(door, "/api/login", who).body)["token"]
    order = {"company_id": 999_999_999_999, "type": "buy", "quantity": 1, "price": "1.00"}
    refused = edge.post(door, "/api/orders", order, Authorization=f"Bearer {token}")
    assert refused.status == 404, refused
    request = refused.one("X-Request-ID")
    wait_until(
        "each of the three says it", lambda: streams(request) >= {"edge", "app", "postgresql"}, 60,
        says=lambda: sorted(streams(request)),
    )  # fmt: skip


def streams(request: str) -> set[str]:
    """Where something of a request was logged."""
    logstore.ask("POST", "/logs-*/_refresh")
    _status, said = logstore.ask("POST", "/logs-*/_search", {"query": {"term": {"http.request.id": request}}})
    return {hit["_source"]["data_stream"]["dataset"] for hit in said["hits"]["hits"]}


def test_the_writer_can_write_and_nothing_else() -> None:
    stream = next(one["name"] for one in logstore.ask("GET", "/_resolve/index/logs-*")[1]["data_streams"])
    document = (
        json.dumps({"create": {"_index": stream}}) + '\n{"@timestamp": "2026-01-01T00:00:00Z", "message": "story"}\n'
    )
    status, said = logstore.ask("POST", "/_bulk", document, user="logs_writer")
    assert (status, said["errors"]) == (200, False)
    forbidden = [
        ("GET", f"/{stream}/_search", ""), ("GET", "/_cluster/health", ""), ("DELETE", f"/{stream}", ""),
        ("GET", "/_cat/indices", ""),
        ("PUT", "/_index_template/x", '{"index_patterns": ["x"]}'), ("POST", f"/{stream}/_rollover", ""),
    ]  # fmt: skip
    assert [logstore.ask(*question, user="logs_writer")[0] for question in forbidden] == [403] * len(forbidden)
    # No stream but those of the inventory.
    stray = json.dumps({"create": {"_index": "logs-stray-story"}}) + '\n{"@timestamp": "2026-01-01T00:00:00Z"}\n'
    assert logstore.ask("POST", "/_bulk", stray, user="logs_writer")[1].get("errors") is True


def test_the_reader_only_reads() -> None:
    assert logstore.ask("GET", "/logs-*/_search?size=0", user="logs_reader")[0] == 200
    assert logstore.ask("DELETE", "/logs-*", user="logs_reader")[0] in (400, 403)
    assert logstore.ask("POST", "/logs-*/_doc", {"a": 1}, user="logs_reader")[0] in (400, 403)


def test_plaintext_and_strangers_are_refused() -> None:
    at = address(logstore.COLLECTOR)
    # From the collector's own host, where the firewall is no help.
    assert docker("exec", container(logstore.COLLECTOR), "curl", "-sS", "-m", "5", f"http://{at}:9200/").code != 0
    assert logstore.ask("GET", "/_cluster/health", user="", password="")[0] == 401
    assert logstore.ask("GET", "/_cluster/health", user="admin", password="guess")[0] == 401
    # By TLS without a certificate, and without TLS.
    said = docker(
        "exec", container(logstore.COLLECTOR), "sh", "-c",
        f"echo | timeout 5 openssl s_client -connect {at}:20514 -tls1_2 2>&1; "
        f"printf '1 open 0 \\n' | timeout 5 openssl s_client -quiet -connect {at}:20514 2>&1 || true",
    ).output  # fmt: skip
    assert "rsp" not in said, said
    assert "alert" in said or "handshake failure" in said or "errno" in said, said
    # From another host there is not even a door to the store.
    closed = docker("exec", container("lb1"), "curl", "-skS", "-m", "3", f"https://{at}:9200/")
    assert closed.code != 0, closed.output


def indices(stream: str) -> list[str]:
    """Those that lie behind a stream, or a pattern of streams."""
    return [one["index"] for one in logstore.ask("GET", f"/_cat/indices/{stream}?format=json&expand_wildcards=all")[1]]


@pytest.mark.long
def test_what_is_past_its_time_is_deleted_and_the_index_that_is_written_to_stays() -> None:
    """Redis' stream, whose lines nobody misses: one that is made up could not be made, and never be taken away."""
    streams = {one["name"] for one in logstore.ask("GET", "/_resolve/index/logs-*")[1]["data_streams"]}
    stream = next(name for name in streams if name.startswith("logs-redis-"))
    others = {index for name in streams - {stream} for index in indices(name)}
    old, new = logstore.new_run(), logstore.new_run()

    def written(run: str) -> None:
        document = {"@timestamp": "2026-01-01T00:00:00Z", "message": "story", "http": {"request": {"id": run}}}
        lines = f"{json.dumps({'create': {'_index': stream}})}\n{json.dumps(document)}\n"
        status, said = logstore.ask("POST", "/_bulk", lines, user="logs_writer")
        assert (status, said["errors"], logstore.count(run)) == (200, False, 1)

    def retained(retention: str, hours: float) -> str:
        given = json.dumps({"retentions": {stream: retention}, "rollover_hours": hours})
        return execute(logstore.COLLECTOR, "python3", "-B", "-c", RETAIN, given)

    written(old)
    before = indices(stream)
    assert "deleted" not in retained("30d", 0)
    # Time to begin a new index, and none to delete one.
    assert (set(before) < set(indices(stream)), logstore.count(old)) == (True, 1)
    written(new)
    said = retained("0m", 24)
    assert all(f"deleted {index}" in said for index in before), said
    assert (len(indices(stream)), logstore.count(old), logstore.count(new)) == (1, 0, 1)
    assert others <= set(indices("logs-*")), "another stream's"
    # With its own settings it knows every stream that there is.
    logstore.unit(logstore.COLLECTOR, "start", "log-retention.service")
    assert "left alone" not in inside(logstore.COLLECTOR, "journalctl --sync; journalctl -q -u log-retention -o cat")


@pytest.mark.long
def test_one_persons_lines_are_erased_and_no_others() -> None:
    run, person = logstore.new_run(), logstore.new_run()
    for who in (person, "somebody-else"):
        execute(HOST, "logger", "--tag", "story", json.dumps({"request_id": run, "n": who, "user": who}))
    logstore.delivered(run, 2, 60).assert_exactly_once()
    counted = playbook("playbooks/erase_user_logs.yml", "-e", f"user={person}")
    assert counted.code == 0, counted.output
    assert "nothing was deleted" in counted.output
    wrong = playbook("playbooks/erase_user_logs.yml", "-e", f"user={person}", "-e", "confirm=other")
    assert wrong.code != 0
    assert "type the same id twice" in wrong.output
    assert logstore.count(run) == 2
    erased = playbook("playbooks/erase_user_logs.yml", "-e", f"user={person}", "-e", f"confirm={person}")
    assert erased.code == 0, erased.output
    assert logstore.count(run) == 1


@pytest.mark.long
def test_site_again_changes_nothing() -> None:
    ran = site("--tags", "logs")
    assert ran.code == 0, ran.output
    assert set(ran.changed.values()) == {0}, ran.output
