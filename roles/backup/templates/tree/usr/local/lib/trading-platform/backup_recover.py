#!/usr/bin/python3 -IB
"""Lets a restored data directory recover to its target, out of everybody's reach. Managed by Ansible (role backup).

PostgreSQL runs on a socket of its own until it has promoted itself, and is stopped: Patroni gets a complete directory.
Prints what was measured, as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

# Isolated (-I), Python does not look beside the program; without bytecode (-B), it leaves nothing there.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backup_host import Trouble
from backup_server import Server, recovered


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--timeout", type=float, default=86400)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="recover-") as place:
        server = Server(asked.binaries, asked.data, Path(place))
        try:
            facts = recovered(server, asked.timeout)
        except Trouble as trouble:
            sys.stderr.write(f"{trouble}\n")
            return 1
        finally:
            server.control("-m", "fast", "-w", "-t", "600", "stop")
    sys.stdout.write(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
