#!/usr/bin/env python3
# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the progress callback costs, as one JSON object.

Without --run: the callbacks are fed the events of a run in this process, and their processor time is set against a
host-task's 76 ms (an unchanged ping by SSH, docs/benchmarks.md). Other work on the machine does not disturb it.
With --run: a real playbook on aliases of localhost, under it and under the default callback. The runs alternate, of
each kind the cheapest counts, and on a busy machine the figures are mostly noise.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOST_TASK_US = 76_000
REDRAWS_PER_SECOND = 5
KINDS = {
    "default": ("ansible.builtin.default", "plain", False),
    "plain": ("trading.platform.progress", "plain", False),
    "default_tty": ("ansible.builtin.default", "plain", True),
    "live": ("trading.platform.progress", "live", True),
}


def lay_out(where: Path, tasks: int, hosts: int, task: str) -> None:
    names = {f"h{number}": None for number in range(hosts)}
    common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (where / "hosts.yml").write_text(json.dumps({"all": {"vars": common, "hosts": names}}))
    steps = [{"name": f"step | Number {number}", task: {}} for number in range(tasks)]
    play = {"name": "Bench", "hosts": "all", "gather_facts": False, "tasks": steps}
    (where / "play.yml").write_text(json.dumps([play]))


def drain(handle: int) -> None:
    """Read what the run prints; a terminal that nobody reads would block it."""
    try:
        while os.read(handle, 65536):
            pass
    except OSError:
        pass


def run(where: Path, kind: str) -> tuple[float, float]:
    """Wall and processor seconds of one run."""
    callback, mode, terminal = KINDS[kind]
    env = os.environ | {
        "ANSIBLE_STDOUT_CALLBACK": callback,
        "ANSIBLE_PROGRESS": mode,
        "ANSIBLE_PROGRESS_CACHE_DIR": str(where / "cache"),
        "ANSIBLE_CONFIG": str(where / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_FORKS": "8",
        "TERM": "xterm",
    }
    reader, writer = pty.openpty() if terminal else os.pipe()
    thread = threading.Thread(target=drain, args=(reader,), daemon=True)
    thread.start()
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.yml", "play.yml"]
    subprocess.run(command, cwd=where, env=env, stdout=writer, stderr=writer, stdin=subprocess.DEVNULL, check=True)
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    os.close(writer)
    thread.join(timeout=2)
    os.close(reader)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def feed(kind: str, tasks: int, hosts: int) -> tuple[float, float]:
    """Microseconds of the main thread for each host-task, and of the drawing thread's processor for each redraw."""
    # Only here: Ansible takes over the streams of the process that imports it.
    from ansible import context  # noqa: PLC0415
    from ansible.executor.task_result import CallbackTaskResult  # noqa: PLC0415
    from ansible.inventory.host import Host  # noqa: PLC0415
    from ansible.playbook.play import Play  # noqa: PLC0415
    from ansible.playbook.task import Task  # noqa: PLC0415
    from ansible.plugins.loader import callback_loader, init_plugin_loader  # noqa: PLC0415
    from ansible.utils.context_objects import CLIArgs  # noqa: PLC0415

    init_plugin_loader([str(ROOT / "collections")])
    context.CLIARGS = CLIArgs({"check": False, "inventory": ("bench",)})
    callback, mode, _terminal = KINDS[kind]
    os.environ["ANSIBLE_PROGRESS"] = mode
    plugin = callback_loader.get(callback)
    plugin.set_options()
    nodes = [Host(f"host{number}") for number in range(hosts)]
    steps = [Task.load({"name": f"step | Number {n}", "ansible.builtin.ping": {}}) for n in range(tasks)]
    results = [[CallbackTaskResult(node, step, {"changed": False}, {}) for node in nodes] for step in steps]
    began = time.thread_time()
    plugin.v2_playbook_on_play_start(Play.load({"name": "Bench", "hosts": "all"}))
    for step, row in zip(steps, results, strict=True):
        plugin.v2_playbook_on_task_start(step, False)
        for node in nodes:
            plugin.v2_runner_on_start(node, step)
        for result in row:
            plugin.v2_runner_on_ok(result)
    spent = time.thread_time() - began
    draw = 0.0
    screen = getattr(plugin, "_screen", None)
    if screen:
        began = time.thread_time()
        for _redraw in range(200):
            with plugin._display._lock:
                screen.draw()
        draw = (time.thread_time() - began) / 200
    sys.stdout.flush()
    return 1e6 * spent / (tasks * hosts), 1e6 * draw


def fed(kind: str, tasks: int, hosts: int) -> tuple[float, float]:
    """feed() in a process of its own, on a terminal of its own where the kind wants one."""
    reader, writer = pty.openpty() if KINDS[kind][2] else os.pipe()
    threading.Thread(target=drain, args=(reader,), daemon=True).start()
    answer, asked = os.pipe()
    command = [sys.executable, __file__, "--feed", kind, "--answer", str(asked)]
    command += ["--tasks", str(tasks), "--hosts", str(hosts)]
    env = os.environ | {"TERM": "xterm", "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "CI": ""}
    subprocess.run(command, env=env, stdout=writer, stderr=writer, check=True, pass_fds=[asked])
    os.close(asked)
    os.close(writer)
    event, draw = json.loads(os.read(answer, 4096))
    return float(event), float(draw)


def direct(tasks: int, hosts: int, repeat: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    best = {kind: min(fed(kind, tasks, hosts) for _round in range(repeat)) for kind in KINDS}
    for kind, base in (("plain", "default"), ("live", "default_tty")):
        event, draw = best[kind]
        figures[f"{base}_us_per_host_task"] = round(best[base][0], 1)
        figures[f"{kind}_us_per_host_task"] = round(event, 1)
        added = max(0.0, event - best[base][0]) / HOST_TASK_US + draw * REDRAWS_PER_SECOND / 1e6
        figures[f"{kind}_added_pct"] = round(100 * added, 3)
    figures["redraw_us"] = round(best["live"][1], 1)
    return figures


def compared(args: argparse.Namespace) -> dict[str, float]:
    results: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory(prefix="bench-progress-") as name:
        where = Path(name)
        (where / "ansible.cfg").touch()
        lay_out(where, args.tasks, args.hosts, args.task)
        for _round in range(args.repeat):
            for kind, measured in results.items():
                measured.append(run(where, kind))
    wall = {kind: min(w for w, _cpu in measured) for kind, measured in results.items()}
    cpu = {kind: min(c for _wall, c in measured) for kind, measured in results.items()}
    return {
        "host_tasks": args.tasks * args.hosts,
        "default_wall_s": round(wall["default"], 2),
        "default_cpu_s": round(cpu["default"], 2),
        "plain_cpu_pct": round(100 * (cpu["plain"] / cpu["default"] - 1), 2),
        "plain_wall_pct": round(100 * (wall["plain"] / wall["default"] - 1), 2),
        "live_cpu_pct": round(100 * (cpu["live"] / cpu["default_tty"] - 1), 2),
        "live_wall_pct": round(100 * (wall["live"] / wall["default_tty"] - 1), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true", help="compare real runs")
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--hosts", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--task", default="ansible.builtin.ping", help="with --run: debug is an almost free task")
    parser.add_argument("--feed", choices=sorted(KINDS), help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.feed:
        os.write(args.answer, json.dumps(feed(args.feed, args.tasks, args.hosts)).encode())
        os._exit(0)
    figures = compared(args) if args.run else direct(args.tasks, args.hosts, args.repeat)
    sys.stdout.write(json.dumps({"name": "progress", "figures": figures}) + "\n")


if __name__ == "__main__":
    main()
