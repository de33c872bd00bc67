#!/usr/bin/python3 -IB
"""What a site knows of itself and of the other one. Managed by Ansible (role dr); standard library only.

check      may PostgreSQL run here? Not where the other site has taken over since, unless this one follows it
claim      notes in this site's repository that it has taken over
follow     notes that this site follows the other one, as it is now
look       what runs here, how far it has come, and how far the other site's archive goes
catch-up   waits until all of the archive is replayed
hand-over  where a server that was shut down ended; puts the log with its last word where the other site finds it
receive    fetches that log, and waits until it is replayed
lost       what this host committed and the site that took over never got
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Isolated (-I), Python does not look beside the program; without bytecode (-B), it leaves nothing there.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from dr_site_claims import check, claim, follow
from dr_site_handover import hand_over, receive
from dr_site_host import Settings, Trouble
from dr_site_lost import lost
from dr_site_replay import catch_up, look

SETTINGS = Path("/etc/trading-platform/dr/settings.json")
# A condition that ends with 1 to 254 has systemd skip its service in silence; what is broken has to show as failed.
BROKEN = 255


def settings() -> Settings:
    return Settings(**json.loads(SETTINGS.read_text()))


def may_run(stop: bool) -> int:
    try:
        return check(settings(), stop)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        sys.stderr.write(f"Whether PostgreSQL may run here cannot be told: {told}\n")
        return BROKEN


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    checking = verbs.add_parser("check")
    checking.add_argument("--stop", action="store_true", help="and stop what runs against it")
    for name in ("claim", "follow", "look", "hand-over", "lost"):
        verbs.add_parser(name)
    catching = verbs.add_parser("catch-up")
    receiving = verbs.add_parser("receive")
    receiving.add_argument("--segment", required=True)
    receiving.add_argument("--lsn", required=True, help="up to here")
    for one in (catching, receiving):
        one.add_argument("--timeout", type=float, default=3600)
    return parser.parse_args()


def main() -> int:
    given = arguments()
    if given.verb == "check":
        return may_run(given.stop)
    told = settings()
    verbs: dict[str, Callable[[], dict[str, Any]]] = {
        "claim": lambda: claim(told),
        "follow": lambda: follow(told),
        "look": lambda: look(told),
        "hand-over": lambda: hand_over(told),
        "lost": lambda: lost(told),
        "catch-up": lambda: catch_up(told, "", given.timeout),
        "receive": lambda: receive(told, given.segment, given.lsn, given.timeout),
    }
    try:
        facts = verbs[given.verb]()
    except (Trouble, OSError) as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    sys.stdout.write(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
