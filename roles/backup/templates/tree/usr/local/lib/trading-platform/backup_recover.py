#!/usr/bin/python3 -IB
"""Lets a restored data directory recover to its target, out of everybody's reach. Managed by Ansible (role backup).

PostgreSQL runs on a socket of its own until it has promoted itself, and is stopped: Patroni gets a complete directory.
Prints what was measured, as JSON, and leaves it here for the last lines of a run that comes later.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

# Isolated (-I), Python does not look beside the program; without bytecode (-B), it leaves nothing there.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backup_host import RECOVERED, Trouble, held, written
from backup_interruption import heed
from backup_server import Server, recovered

LOCK = Path("/run/trading-backup/recover.lock")
# By its sockets' place a server is known as one of this program's.
PLACE = "recover-"


def cleared(server: Server) -> None:
    """A run that was killed has left its server; any other one is somebody's."""
    if server.works() and any(Path(line).name.startswith(PLACE) for line in server.pidfile()):
        server.stop()
    if server.works():
        raise Trouble(f"A PostgreSQL runs on {server.data}: stop it (systemctl stop patroni). Nothing was changed.")


def complete(server: Server, timeout: float) -> dict[str, object]:
    """Recovered and stopped; stopped, too, where that went wrong."""
    cleared(server)
    try:
        facts = recovered(server, timeout) | {"at": time.time()}
        written(RECOVERED, json.dumps(facts) + "\n")
    except BaseException:
        server.stop()
        raise
    if server.stop():
        raise Trouble(f"PostgreSQL recovered, and was not stopped in good order. It said last:\n{server.said()}")
    return facts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--timeout", type=float, default=86400)
    asked = parser.parse_args()
    heed("Interrupted: it has not recovered. Say it again.")
    with tempfile.TemporaryDirectory(prefix=PLACE) as place:
        try:
            # One that nobody waits for any more may still be at it.
            with held(LOCK, asked.timeout, f"Another recovery runs on this host for more than {asked.timeout:.0f} s."):
                facts = complete(Server(asked.binaries, asked.data, Path(place)), asked.timeout)
        except (Trouble, OSError) as trouble:
            sys.stderr.write(f"{trouble}\n")
            return 1
    sys.stdout.write(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
