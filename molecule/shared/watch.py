"""Who watches the fleet, and what world1 was told: for stories that cause alerts."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from fleet import inside, playbook, run
from probe import execute

KEPT = "/etc/trading-platform/prometheus/secrets/platform"
CA = "/etc/trading-platform/pki/prometheus/ca.pem"
TOLD = "/var/lib/alerts/notifications.jsonl"
LINE = re.compile(r"^(?P<status>FIRING|RESOLVED) (?P<name>\w+)(?: on (?P<instance>\S+))?: ", re.M)
# curl reads the password from a file that its shell makes: it is in nobody's argv.
ASK = f"curl -sf -m 5 --cacert {CA} -K <(printf 'user = \"platform:%s\"' \"$(cat {KEPT})\") 'https://127.0.0.1:{{port}}{{path}}'"


def ask(path: str, port: int = 9090) -> Any:
    """What Prometheus, or on 9093 Alertmanager, answers on ops1."""
    return json.loads(inside("ops1", f"bash -c {quoted(ASK.format(port=port, path=path))}"))


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


# On ops1: many questions for the price of one.
ANSWERS = f"""
import base64, json, ssl, sys, urllib.error, urllib.request
login = base64.b64encode(b"platform:" + open("{KEPT}", "rb").read().strip()).decode()
trusted = ssl.create_default_context(cafile="{CA}")
answers = []
for path in json.load(sys.stdin):
    try:
        asked = urllib.request.Request("https://127.0.0.1:9090" + path, headers={{"Authorization": "Basic " + login}})
        answers.append(json.load(urllib.request.urlopen(asked, timeout=10, context=trusted)))
    except urllib.error.HTTPError as error:
        answers.append(json.load(error))
print(json.dumps(answers))
"""


def answers(expressions: list[str], over: str = "") -> list[dict[str, Any]]:
    """Of Prometheus to each, an error too; `over` is start, end and step of a range, as in an address."""
    kind = "query_range" if over else "query"
    given = json.dumps([f"/api/v1/{kind}?query={quote(one)}{over}" for one in expressions]).encode()
    return list(json.loads(execute("ops1", "python3", "-c", ANSWERS, given=given, timeout=300)))


def queries() -> list[dict[str, Any]]:
    """Of every panel of every dashboard."""
    return list(json.loads(run("python", "-m", "roles.grafana.dashboards", "--queries").output))


def panels() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each query of each panel: its place and text, all that is known of it, and Prometheus' answer."""
    mine = [one for one in queries() if one["source"] == "prometheus"]
    told = answers([one["expr"] for one in mine])
    return [
        (f"{one['dashboard']}/{one['panel']}: {one['expr']}", one, answer)
        for one, answer in zip(mine, told, strict=True)
    ]


def panel_faults() -> list[str]:
    """Queries that Prometheus refuses, those that find nothing though nobody declared that well, and legends that name
    a label that there is not. Wants somebody who trades."""
    # What a drill measured is there after one that went well; the last one of the story of the backups does not.
    if not query("trading_drill_rto_seconds"):
        ran = playbook("playbooks/dr_drill.yml")
        assert ran.code == 0, ran.output
        wait_for("the drill's figures", lambda: query("trading_drill_rto_seconds"), 60)
    told = panels()
    assert len(told) > 100
    faults = [f"{panel}: {answer['error']}" for panel, _query, answer in told if "error" in answer]
    found = [(panel, one, answer["data"]["result"]) for panel, one, answer in told if "error" not in answer]
    faults += [f"{panel}: nothing" for panel, one, series in found if not series and not one["may_be_empty"]]
    return faults + [
        f"{panel}: {one['legend']} names a label that there is not"
        for panel, one, series in found
        if any(set(re.findall(r"{{(\w+)}}", one["legend"])) - row["metric"].keys() for row in series)
    ]


def query(expression: str) -> list[dict[str, Any]]:
    found = ask(f"/api/v1/query?query={quote(expression)}")
    assert found["status"] == "success", found
    return list(found["data"]["result"])


def raised(alert: str, **labels: str) -> bool:
    """Whether its condition holds, be it that its patience lasts still."""
    given = ", ".join(f'{name}="{value}"' for name, value in {"alertname": alert, **labels}.items())
    return bool(query(f"ALERTS{{{given}}}"))


def targets() -> dict[tuple[str, str, str], str]:
    """Health by job, host and what tells two of a job on a host apart."""
    found = {}
    for one in ask("/api/v1/targets?state=active")["data"]["activeTargets"]:
        labels = one["labels"]
        which = labels["job"], labels["instance"], labels.get("part") or labels.get("target", "")
        found[which] = one["health"] if one["health"] == "up" else f"{one['health']}: {one['lastError']}"
    return found


def now() -> float:
    """The clock that world1 writes into its journal; containers share it."""
    return time.time()


def told(since: float) -> list[dict[str, Any]]:
    lines = inside("world1", f"cat {TOLD} 2>/dev/null || true").splitlines()
    return [one for one in map(json.loads, lines) if one["at"] >= since]


def paged(name: str, since: float, status: str, **labels: str) -> dict[str, Any] | None:
    """The first notification of an alert with that status and these labels."""
    return among(told(since), name, status, **labels)


def among(notifications: list[dict[str, Any]], name: str, status: str, **labels: str) -> dict[str, Any] | None:
    """The same, of what was read before."""
    for one in notifications:
        if any((n, s) == (name, status) and labels.items() <= known.items() for n, s, known in alerts_of(one)):
            return one
    return None


def alerts_of(notification: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Name, status and labels of each alert of a page; chat gets a line of text for each."""
    for alert in notification.get("alerts", ()):
        yield alert["name"], alert["status"], alert["labels"]
    for line in LINE.finditer(notification.get("text", "")):
        yield line["name"], line["status"].lower(), {"instance": line["instance"] or ""}


def wait_for(what: str, question: Callable[[], Any], seconds: float) -> Any:
    """What the question answers once that is true."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(1)
