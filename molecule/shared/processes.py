"""What a host's process list showed while something went on, also of processes that live for a moment."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence

from fleet import ENVIRONMENT, container

# Fifty looks a second at a process in its first half second, then one: some become another program later.
LOOK = """
import json, os, select, sys, time
words, seen, first, due = json.loads(sys.stdin.readline()), set(), {}, {}
print("looking", flush=True)
while not select.select([sys.stdin], [], [], 0.02)[0]:
    now = time.monotonic()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if now < due.get(pid, 0):
            continue
        due[pid] = now + (now - first.setdefault(pid, now) > 0.5)
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().decode(errors="replace")
        except OSError:
            continue
        seen |= {name for name, word in words.items() if word in line}
print(json.dumps(sorted(seen)))
"""


@contextlib.contextmanager
def watched(hosts: Sequence[str], words: Mapping[str, str]) -> Iterator[dict[str, set[str]]]:
    """Which of the words command lines showed, by their names, for each host; complete once the block is left.

    The words themselves come by stdin: the looker is a process too.
    """
    shown: dict[str, set[str]] = {}
    with contextlib.ExitStack() as stack:
        lookers = {host: stack.enter_context(_looker(host)) for host in hosts}
        for looker in lookers.values():
            assert looker.stdin
            assert looker.stdout
            looker.stdin.write(json.dumps(dict(words)) + "\n")
            looker.stdin.flush()
            assert looker.stdout.readline() == "looking\n"
        yield shown
        for host, looker in lookers.items():
            shown[host] = set(json.loads(looker.communicate(timeout=30)[0]))


def _looker(host: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["docker", "exec", "-i", container(host), "python3", "-c", LOOK],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
