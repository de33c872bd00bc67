"""The benchmarks behind bench/run. Figures are ratios in one run where they can be: machines differ, and are noisy."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import bars

ROOT = Path(__file__).resolve().parent.parent
INVENTORY = os.environ.get("FLEET_INVENTORY", "inventories/local")
RECORD = ROOT / "docs/benchmarks.md"
HEAD = """# Benchmarks

Written by `bench/run NAME --record` and `bench/run all --record`. Ratios are of one run. Where a figure misses its bar
(bench/bars.py), `bench/run` says so and ends with 1.
"""
Figures = dict[str, float]


def playbook(name: str, *arguments: str) -> tuple[float, str]:
    """Runs a playbook; returns its wall time and what it printed. A failed run is no measurement."""
    began = time.monotonic()
    ran = subprocess.run(
        ["ansible-playbook", name, "-i", INVENTORY, *arguments],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_PROGRESS": "plain", "ANSIBLE_STDOUT_CALLBACK": "trading.platform.progress"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    took = time.monotonic() - began
    if ran.returncode:
        sys.exit(f"bench: {name} failed; is a fleet standing (bin/up)?\n{ran.stdout[-3000:]}")
    return took, ran.stdout


def recap(output: str, word: str) -> int:
    return sum(int(count) for count in re.findall(rf"^\S+\s+:.*\b{word}=(\d+)", output, re.M))


def noop() -> Figures:
    """The second site.yml: three runs, the median. host_tasks counts what ran on hosts and controller for them."""
    playbook("site.yml")
    runs = [playbook("site.yml") for _ in range(3)]
    return {
        "wall_s": round(statistics.median(took for took, _output in runs), 1),
        "hosts": float(len(re.findall(r"^\S+\s+: ok=", runs[-1][1], re.M))),
        "host_tasks": float(recap(runs[-1][1], "ok")),
        "changed": float(max(recap(output, "changed") for _took, output in runs)),
    }


def config_tree() -> Figures:
    """40 files by config_tree against 40 results of ansible.builtin.template, on one host, less the bare start."""

    def timed(mode: str) -> float:
        return playbook("bench/config_tree.yml", "-e", "bench_hosts=db1", "-e", f"bench_mode={mode}")[0]

    timed("prepare")
    figures: Figures = {}
    empty = min(timed("nothing") for _ in range(3))
    for mode in ("template", "config_tree"):
        timed("clean")
        figures[f"{mode}_first_s"] = round(timed(mode) - empty, 2)
        figures[f"{mode}_noop_s"] = round(statistics.median(timed(mode) - empty for _ in range(3)), 2)
    timed("clean")
    figures["ratio_first"] = round(figures["template_first_s"] / figures["config_tree_first_s"], 1)
    figures["ratio"] = round(figures["template_noop_s"] / figures["config_tree_noop_s"], 1)
    return figures


def progress() -> Figures:
    """What the progress callback adds to a host-task, against the 76 ms that the cheapest one takes by SSH."""
    ran = subprocess.run(
        [sys.executable, "bench/progress.py"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=300
    )
    figures: Figures = json.loads(ran.stdout)["figures"]
    return figures


def containers(group: str = "") -> dict[str, str]:
    """Of a group's hosts, or of all."""
    asked = ["ansible-inventory", "-i", INVENTORY, "--list"]
    listed = json.loads(subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    known = listed["_meta"]["hostvars"]
    return {
        host: f"{known[host]['fleet_name']}-{host}" for host in (listed[group]["hosts"] if group else sorted(known))
    }


def cores(group: str, which: str) -> None:
    """Bind the containers of a group's hosts to these of the machine's cores."""
    names = containers(group).values()
    subprocess.run(["docker", "update", "--cpuset-cpus", which, *names], capture_output=True, check=True)


def dbproxy() -> Figures:
    """pgbench with 16 clients through dbproxy against straight to the primary, by turns; 500 clients.

    The hosts of the database have one core of the machine, those of the application another: hosts share none.
    """
    last = (os.cpu_count() or 1) - 1
    cores("db", f"0-{max(last - 1, 0)}")
    cores("app", str(last))
    try:
        return dbproxy_shared()
    finally:
        for group in ("app", "db"):
            cores(group, f"0-{last}")


def dbproxy_shared() -> Figures:
    """The same where all hosts share all cores: what the proxies cost the machine, not what they cost a client."""
    said = playbook("bench/dbproxy.yml")[1]
    found = re.search(r"figures: (\{.*\})", said)
    if not found:
        sys.exit(f"bench: bench/dbproxy.yml said no figures\n{said[-3000:]}")
    figures: Figures = json.loads(found[1])
    return figures


def memory() -> Figures:
    """What the idle fleet takes, in MB: each host's processes, with what they share counted once, and all together."""
    pss = "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ {sum += $2} END {print int(sum / 1024)}'"
    figures: Figures = {}
    for host, name in containers().items():
        ran = subprocess.run(["docker", "exec", name, "sh", "-c", pss], capture_output=True, text=True, check=True)
        figures[f"{host}_mb"] = float(ran.stdout)
    return {"fleet_mb": sum(figures.values()), **figures}


def story(name: str) -> Figures:
    """What bench/<name>.py says: it stands on what the stories stand on."""
    environment = {"FLEET_INVENTORY": INVENTORY, "PYTHONPATH": str(ROOT / "molecule/shared")}
    ran = subprocess.run(
        [sys.executable, f"bench/{name}.py"],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=3600,
    )
    if ran.returncode:
        sys.exit(f"bench: {name} came to no figures; see above")
    figures: Figures = json.loads(ran.stdout)["figures"]
    return figures


def failover() -> Figures:
    """The primary goes under 350 commits a second: planned, killed -9, its whole host; each the worst of three.

    A gap is the longest time without an acknowledged write; lost_rows are rows acknowledged and not there afterwards.
    """
    return story("failover")


def release() -> Figures:
    """Deploy, rollback, blue/green and back, canary, scale, dockerd's restart, under 200 requests/s and 20 WebSockets.

    release_ratio: a release on two hosts against pull, run and readiness by hand. orders_lost: acknowledged, not there.
    """
    return story("release")


def edge() -> Figures:
    """This nginx configuration against the package's, by turns on one host; 10,000 trades/min during a deploy.

    Where the machine does not carry so many at rest within 100 ms (trades_rest_p95_ms), as many as it does.
    """
    return story("edge")


def logs() -> Figures:
    """Lines a second from a host's journal into Elasticsearch, each once; the app's p95 with the collector away."""
    return story("logs")


def alerts() -> Figures:
    """Alerts caused for real in four waves, until the receiver outside heard of each, and of its end.

    notify_*: from the cause until it was heard, beyond the rule's own patience. rules_untested: without a firing and a
    quiet case. panel_queries_failed: of all dashboards, on this Prometheus.
    """
    return story("alerts")


def backup() -> Figures:
    """A full backup of a ledger of 1 GB as the timers take it, against pgbackrest by hand on that host, by turns."""
    return story("backup")


def drill() -> Figures:
    """dr_drill.yml of a ledger of 1 GB beside 100 transactions a second: the worst of three, against just before it.

    The ledger's host and the primary have one core of the machine, the host that rehearses and the S3 another. Hosts
    without a part in it stand still.
    """
    return story("drill")


def restore() -> Figures:
    """Both database hosts and their volumes are destroyed while money moves; dr_restore.yml from bare hosts.

    ratio: until the application answers again, against a plain pgbackrest restore and replay of the same data.
    lost_rows_unnamed: acknowledged before the moment that the playbook names, and not there.
    """
    return story("restore")


BENCHMARKS: dict[str, Callable[[], Figures]] = {
    "alerts": alerts,
    "backup": backup,
    "logs": logs,
    "memory": memory,
    "config_tree": config_tree,
    "dbproxy": dbproxy,
    "dbproxy_shared": dbproxy_shared,
    "drill": drill,
    "edge": edge,
    "failover": failover,
    "noop": noop,
    "progress": progress,
    "release": release,
    "restore": restore,
}


def table(name: str, figures: Figures) -> str:
    doc = inspect.getdoc(BENCHMARKS[name]) or ""
    machine = f"{os.cpu_count()} cores, {datetime.now(UTC):%Y-%m-%d}"
    return f"## {name}\n{doc}\n\n{bars.table(name, figures)}\n{machine}\n"


def record(name: str, section: str) -> None:
    """In the place of what an earlier run has left of the same name; the sections stand in the order of their names."""
    sections = re.split(r"^(?=## )", RECORD.read_text(), flags=re.MULTILINE)[1:]
    kept = {text.split(None, 2)[1]: text.rstrip() + "\n" for text in sections} | {name: section}
    judged = (bars.judged(one, kept[one]) for one in sorted(kept) if one in BENCHMARKS)
    RECORD.write_text("\n".join([HEAD, *judged]))


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("name", nargs="?", choices=[*BENCHMARKS, "all"], help="what to measure")
    parser.add_argument("--list", action="store_true", help="names, one a line")
    parser.add_argument("--json", action="store_true", help="one object with flat figures")
    parser.add_argument("--record", action="store_true", help="write it to docs/benchmarks.md, too")
    asked = parser.parse_args()
    if asked.list or not asked.name:
        sys.stdout.write("".join(f"{name}\n" for name in BENCHMARKS))
        return 0
    missed = 0
    for name in BENCHMARKS if asked.name == "all" else [asked.name]:
        figures = BENCHMARKS[name]()
        section = table(name, figures)
        sys.stdout.write((json.dumps({"name": name, "figures": figures}) if asked.json else section) + "\n")
        sys.stdout.flush()
        if asked.record:
            record(name, section)
        for line in bars.missed(name, figures):
            missed = 1
            sys.stderr.write(f"bench: missed: {line}\n")
    return missed


if __name__ == "__main__":
    sys.exit(main())
