"""The fleet as Prometheus sees it, who may ask, and whether somebody is told. Rules one by one: tests/rules."""

from __future__ import annotations

import json
import time

import pytest
import releases
import watch
from data import wait_until
from fleet import INVENTORY, address, container, docker, inside, playbook, run
from probe import Traffic, execute

TIERS = {"lb": ["lb1", "lb2"], "app": ["app1", "app2"], "db": ["db1", "db2"], "ops": ["ops1"]}
EVERYBODY = [host for hosts in TIERS.values() for host in hosts]
# By hand, and not from the inventory's own variables: what is forgotten there is missed here.
JOBS = {
    "node": EVERYBODY,
    "process": EVERYBODY,
    "nginx": TIERS["lb"],
    "pgbouncer": TIERS["app"],
    "docker": TIERS["app"],
    "app": TIERS["app"],
    "postgres": TIERS["db"],
    "patroni": TIERS["db"],
    "redis": TIERS["db"],
    "etcd": [*TIERS["db"], "ops1"],
    "sentinel": [*TIERS["db"], "ops1"],
    "prometheus": ["ops1"],
    "alertmanager": ["ops1"],
    "grafana": ["ops1"],
    "elasticsearch": ["ops1"],
}
PROBES = [*EVERYBODY, "front page", "api", "prices", "plain http"]


@pytest.fixture(scope="module", autouse=True)
def served() -> None:
    """A probe of the application needs one, and its panels need somebody who trades."""
    releases.any_release()
    with Traffic("world1", seconds=60, rate=20, sockets=2) as load:
        load.wait_ready(60)
        time.sleep(20)


def wanted() -> set[tuple[str, str, str]]:
    found = {(job, host, "") for job, hosts in JOBS.items() for host in hosts}
    found |= {("haproxy", host, part) for host in TIERS["app"] for part in ("dbproxy", "app")}
    return found | {("blackbox", "ops1", target) for target in PROBES}


# First: it compares what the fixture has just sent.
@pytest.mark.parametrize(
    ("given", "go", "says"),
    [
        ({}, True, "canary 0"),
        # Never seen, and so nothing is known of it.
        ({"canary": "v77-00000000"}, False, "no number for the canary"),
        ({"url": "https://127.0.0.1:9"}, False, "cannot be asked"),
        ({"user": "stranger"}, False, "answers 401 to stranger"),
    ],
)
def test_the_gate_asks_prometheus_and_is_closed_where_it_learns_nothing(
    given: dict[str, str], go: bool, says: str
) -> None:
    questions = releases.inventory()["app_gate_questions"]
    release = releases.releases()["app1"]
    where = {"url": "https://127.0.0.1:9090", "ca": watch.CA, "user": "platform", "password_file": watch.KEPT}
    asked = {**where, "canary": release, "baseline": release, "window": 180, "questions": questions, **given}
    module = ("-m", "trading.platform.prometheus_gate", "-a", json.dumps(asked))
    told = run("ansible", "ops1", "-i", INVENTORY, "-b", *module)
    assert told.code == 0, told.output
    assert f'"go": {str(go).lower()}' in told.output, told.output
    assert says in told.output, told.output


def test_all_that_the_inventory_has_is_watched_and_answers() -> None:
    watch.wait_for("all targets up", lambda: set(watch.targets().values()) == {"up"}, 60)
    seen = set(watch.targets())
    assert not wanted() - seen, "missing"
    assert not seen - wanted(), "nobody knows of these"


@pytest.mark.parametrize(
    ("expression", "least"),
    [
        ("pg_up == 1", 2),
        ("trading_pg_audit_logging == 1", 2),
        ("redis_up == 1", 5),
        ("pgbouncer_up == 1", 2),
        ("nginx_up == 1", 2),
        ("etcd_server_has_leader == 1", 3),
        ("patroni_postgres_running == 1", 2),
        ("trading_pg_sync_wanted == trading_pg_sync_standbys", 2),
        ("trading_certificate_ends_timestamp_seconds{name='exporter'} > time() + 86400", 7),
        ("trading_facts_ok == 1", 7),
        ("trading_site_last_run_timestamp_seconds > 0", 7),
        ("engine_daemon_engine_info", 2),
        ("probe_success{probe='icmp'} == 1", 7),
        ("namedprocess_namegroup_num_procs{groupname='postgres'} > 0", 2),
    ],
)
def test_what_is_scraped_says_what_it_should(expression: str, least: int) -> None:
    watch.wait_for(expression, lambda: len(watch.query(expression)) >= least, 90)


def code(host: str, url: str, *options: str) -> str:
    """HTTP's status, or 000 where no answer came at all."""
    patience = ["--connect-timeout", "1", "--max-time", "5"]
    told = ["-o", "/dev/null", "-w", "%{http_code}"]
    return docker("exec", container(host), "curl", "-s", *patience, *told, *options, url).output.strip()[-3:]


PKI = "/etc/trading-platform/pki/exporter"
SHOWN = ["--cacert", f"{PKI}/ca.pem", "--cert", f"{PKI}/fullchain.pem", "--key", f"{PKI}/key.pem"]


STRANGERS = [
    ("http", []),
    ("https", SHOWN[:2]),
    ("https", SHOWN),
    ("https", [*SHOWN[:2], "-u", "platform:guessed"]),
]


@pytest.mark.parametrize("port", [9090, 9093])
@pytest.mark.parametrize(("scheme", "options"), STRANGERS)
def test_prometheus_and_alertmanager_answer_nobody_without_a_password(
    scheme: str, options: list[str], port: int
) -> None:
    # The firewall lets no other host in; who has got past it is refused by the service, so it is asked on its own host.
    assert code("ops1", f"{scheme}://{address('ops1')}:{port}/api/v1/query?query=up", *options) in ("400", "401")
    assert code("app1", f"{scheme}://{address('ops1')}:{port}/api/v1/query?query=up", *options) == "000"


@pytest.mark.parametrize("host", ["ops1", "app1"])
def test_grafana_answers_nobody_without_a_password(host: str) -> None:
    """Its door is open to those who look at dashboards, which are all hosts here."""
    url = f"{address('ops1')}:3000/api/search"
    plain, *others = [code(host, f"{scheme}://{url}", *options) for scheme, options in STRANGERS]
    assert plain in ("000", "400")
    assert others == ["401"] * 3


@pytest.mark.parametrize("host", EVERYBODY)
def test_the_front_lets_in_prometheus_alone(host: str) -> None:
    url = f"{address(host)}:9998/proxy?module=node"
    assert code("ops1", f"http://{url}") == "400"
    # No certificate, and one of the right CA that is not Prometheus'.
    assert code("ops1", f"https://{url}", *SHOWN[:2]) == "000"
    assert code("ops1", f"https://{url}", *SHOWN) == "000"
    theirs = [word.replace("/exporter/", "/prometheus/") for word in SHOWN]
    assert code("ops1", f"https://{url}", *theirs) == "200"
    assert code("world1", f"http://{url}") == "000", "the firewall lets a stranger in"


# A connection to each at once: a firewall that drops costs two seconds for all of them.
REACHED = """
import socket, sys
from concurrent.futures import ThreadPoolExecutor
def reached(port):
    try:
        socket.create_connection((sys.argv[1], port), 2).close()
    except OSError:
        return []
    return [port]
ports = list(map(int, sys.argv[2:]))
print(*sum(ThreadPoolExecutor(len(ports)).map(reached, ports), []))
"""
OWN_PORTS = ("9100", "9113", "9114", "9115", "9121", "9187", "9256", "2381", "8404", "8405", "9323", "8081")


@pytest.mark.parametrize("host", ["lb1", "app1", "db1", "ops1"])
def test_no_exporter_is_reached_past_the_front(host: str) -> None:
    asker = "ops1" if host != "ops1" else "db1"
    assert execute(asker, "python3", "-c", REACHED, address(host), *OWN_PORTS).split() == []
    assert execute("ops1", "python3", "-c", REACHED, address(host), "9998").split() == ["9998"], "and yet the look sees"


def test_every_panel_asks_what_prometheus_understands_and_has() -> None:
    """All queries of all dashboards; those that are empty while all is well are declared so where they are made."""
    faults = watch.panel_faults()
    assert not faults, "\n".join(faults)


def test_no_file_differs_from_what_landed() -> None:
    """Each minute somebody looks, on every host."""

    def drifted() -> list[str]:
        hosts = [row["metric"]["instance"] for row in watch.query("trading_drift_files > 0")]
        return [inside(host, "journalctl -q -n 2 -u trading-facts-metrics") for host in hosts]

    wait_until("nothing has drifted", lambda: not watch.query("trading_drift_files > 0"), 90, says=drifted)
    assert len(watch.query("trading_drift_files")) > 5


def test_a_file_that_was_changed_with_its_time_kept_is_seen_and_named() -> None:
    path, look = "/etc/issue.net", "systemctl start trading-facts-metrics.service"
    inside("lb2", f"cp -p {path} /run/kept && echo >>{path} && touch -r /run/kept {path} && {look}")
    try:
        assert "\ntrading_drift_files 1.0\n" in inside(
            "lb2", "cat /var/lib/prometheus/node-exporter/trading_facts.prom"
        )
        assert inside("lb2", "journalctl --sync; journalctl -q -n 5 -u trading-facts-metrics | grep landed").endswith(
            f": {path}\n"
        )
    finally:
        inside("lb2", f"mv /run/kept {path} && {look}")


def test_an_alert_arrives_outside_and_clears() -> None:
    """Caused for real: nginx is stopped on one of the two load balancers."""
    began = watch.now()
    inside("lb2", "systemctl stop nginx")
    try:
        watch.wait_for("a page", lambda: watch.paged("NginxDown", began, "firing", instance="lb2"), 180)
    finally:
        inside("lb2", "systemctl start nginx")
    watch.wait_for("the all-clear", lambda: watch.paged("NginxDown", began, "resolved", instance="lb2"), 120)


@pytest.mark.long
@pytest.mark.parametrize("unit", ["prometheus", "prometheus-alertmanager"])
def test_the_watchdog_is_heard_outside_and_its_silence_too(unit: str) -> None:
    began = watch.now()
    inside("ops1", f"systemctl stop {unit}")
    try:
        # 40 s until its last alert ends, 75 s of the switch's own patience, and one word more in between.
        watch.wait_for(
            "the dead-man's switch",
            lambda: [one for one in watch.told(began) if one["to"] == "deadman" and one["status"] == "raised"],
            180,
        )
    finally:
        inside("ops1", f"systemctl start {unit}")
    watch.wait_for(
        "the watchdog",
        lambda: [one for one in watch.told(began) if one["to"] == "deadman" and one["status"] == "cleared"],
        120,
    )


@pytest.mark.long
def test_what_the_receiver_missed_it_hears_once_it_is_back() -> None:
    """And until then Prometheus knows that somebody was not called."""
    began = watch.now()
    inside("world1", "systemctl stop alerts")
    try:
        inside("lb2", "systemctl stop nginx")
        firing = 'ALERTS{alertname="NginxDown", instance="lb2", alertstate="firing"}'
        watch.wait_for("the alert", lambda: watch.query(firing), 120)
        missed = 'ALERTS{alertname="NotificationsNotDelivered", integration="webhook"}'
        watch.wait_for("the alert about it", lambda: watch.query(missed), 90)
        assert not watch.paged("NginxDown", began, "firing", instance="lb2")
        inside("world1", "systemctl start alerts")
        watch.wait_for("a page", lambda: watch.paged("NginxDown", began, "firing", instance="lb2"), 60)
    finally:
        inside("world1", "systemctl start alerts")
        inside("lb2", "systemctl start nginx")
    watch.wait_for("the all-clear", lambda: watch.paged("NginxDown", began, "resolved", instance="lb2"), 120)


AMTOOL = (
    "amtool --alertmanager.url=https://127.0.0.1:9093 "
    "--http.config.file=/etc/trading-platform/alertmanager/amtool.yml alert add"
)


def say(name: str, severity: str, instance: str, ends: str = "3 min") -> None:
    """To Alertmanager, as Prometheus would."""
    labels = f"{name} severity={severity} instance={instance} env=story --annotation=summary=story"
    inside("ops1", f"{AMTOOL} {labels} --end=$(date -ud '{ends}' +%FT%TZ)")


def test_of_a_dead_host_nothing_else_is_told_and_what_is_only_news_comes_by_mail() -> None:
    dead, well = "story-dead", "story-well"
    follows = [("NginxDown", "critical", dead), ("HostUnitFailed", "warning", dead), ("HostRebooted", "info", dead)]
    others = [("NginxDown", "critical", well), ("HostUnitFailed", "warning", well), ("HostRebooted", "info", well)]
    began = watch.now()

    def mails() -> list[str]:
        return [one["text"] for one in watch.told(began) if one["to"] == "email"]

    try:
        say("HostDown", "critical", dead)
        watch.wait_for("its page", lambda: watch.paged("HostDown", began, "firing", instance=dead), 30)
        for one in follows + others:
            say(*one)
        for name, _severity, _instance in others[:2]:
            watch.wait_for(name, lambda name=name: watch.paged(name, began, "firing", instance=well), 30)  # type: ignore[misc]
        watch.wait_for("a mail", lambda: [text for text in mails() if well in text], 30)
        # Two more looks of each group.
        time.sleep(12)
        told = [one for notification in watch.told(began) for one in watch.alerts_of(notification)]
        assert {name for name, _status, labels in told if labels.get("instance") == dead} == {"HostDown"}
        assert not [text for text in mails() if dead in text]
    finally:
        for name, severity, instance in [*follows, *others, ("HostDown", "critical", dead)]:
            say(name, severity, instance, "now")


def test_a_silence_is_begun_and_ended() -> None:
    made = playbook(
        "playbooks/silence.yml", "-e", '{"alertmanager_silence_matchers": ["instance=lb2", "alertname=Story"]}',
        "-e", "alertmanager_silence_by=story", "-e", "alertmanager_silence_reason=story",
    )  # fmt: skip
    assert made.code == 0, made.output
    (mine,) = [
        s for s in watch.ask("/api/v2/silences", 9093) if s["createdBy"] == "story" and s["status"]["state"] == "active"
    ]
    ended = playbook("playbooks/silence.yml", "-e", f"alertmanager_silence_end={mine['id']}")
    assert ended.code == 0, ended.output
    assert [s["status"]["state"] for s in watch.ask("/api/v2/silences", 9093) if s["id"] == mine["id"]] == ["expired"]


def test_a_silence_that_nobody_asked_for_is_not_made() -> None:
    refused = playbook("playbooks/silence.yml", "-e", '{"alertmanager_silence_matchers": ["instance=lb2"]}')
    assert refused.code != 0
    assert "who wants it, and why" in refused.output


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('{"alertmanager_severities": {"critical": "pgae", "warning": "slack", "info": "email"}}',
         "severity 'critical' goes to the unknown receiver 'pgae'"),
        ('{"alertmanager_routes": [{"matchers": ["severity=\\"fatal\\""], "receiver": "page"}]}', "can never match"),
        ('{"alertmanager_secrets": {}}', "has no 'world'"),
        # Shown, though it is said beside the secrets that there are.
        ('{"alertmanager_global": {"smtp_auth_password_file": "/etc/trading-platform/alertmanager/secrets/smtp"}}',
         "has no 'smtp'"),
        ('{"exporter_on": ["nod"]}', "exporter_on"),
    ],
)  # fmt: skip
def test_what_would_tell_nobody_stops_before_anything(given: str, message: str) -> None:
    refused = playbook("playbooks/site/inventory.yml", "-e", given)
    assert refused.code != 0
    assert message in refused.output, refused.output


def test_a_rule_that_does_not_parse_leaves_the_old_ones_in_force() -> None:
    before = inside("ops1", "ls /etc/trading-platform/prometheus/rules | sort | md5sum")
    bad = '{"prometheus_rules": {"bad": {"groups": [{"name": "x", "rules": [{"alert": "A", "expr": "up =="}]}]}}}'
    refused = playbook("site.yml", "--tags", "prometheus", "-e", bad)
    assert refused.code != 0
    assert "could not parse expression" in refused.output, refused.output
    assert inside("ops1", "ls /etc/trading-platform/prometheus/rules | sort | md5sum") == before
    assert watch.query("vector(1)")
