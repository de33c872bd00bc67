#!/usr/bin/python3 -IB
"""This load balancer's certificate from an ACME CA. Managed by Ansible (role certbot); standard library only.

keep [--force] [--check]   asks the CA where one is due, lands it, has nginx serve it; for the timer and the role
deploy                     lands what certbot holds and has nginx serve it; for certbot's own deploy hook
served                     says which certificate a client gets here
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

# Isolated (-I), Python does not look beside the program; without bytecode (-B), it leaves nothing there.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from edge_certificate_certbot import LOG, ask, server
from edge_certificate_due import Settings, due
from edge_certificate_host import Trouble, locked
from edge_certificate_metrics import SUCCESS, tell
from edge_certificate_nginx import Edge, leaf, load, served, told

SETTINGS = Path("/etc/trading-platform/certbot/settings.json")


def keep(edge: Edge, *, force: bool, check: bool) -> str:
    """What was done, or with check what would be."""
    wanted = edge.wanted
    held = load(edge.live / "fullchain.pem")
    reason = due(held, server(wanted.name), wanted, datetime.now(UTC), force=force)
    if not reason and served(wanted.name) == leaf(edge.live / "fullchain.pem"):
        return ""
    if check:
        would = f"ask {wanted.server}, because {reason}" if reason else "reload nginx"
        return f"changed: would {would}"
    if reason:
        refused = ask(wanted)
        if refused:
            raise Trouble(
                f"The CA {wanted.server} gave no certificate for {', '.join(wanted.domains)}: {refused}"
                f" Nothing was changed: {edge.in_force()}. The whole story is in {LOG};"
                " trading-certificate.timer tries again within a day, playbooks/renew_certificates.yml does at once."
            )
    edge.deploy()
    now = load(edge.link / "fullchain.pem")
    return f"changed: nginx serves serial {now.serial if now else '?'} until {now.until if now else '?'}" + (
        f"; a new one, because {reason}" if reason else "; certbot had it already"
    )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["keep", "deploy", "served"])
    parser.add_argument("--force", action="store_true", help="ask for a new certificate although none is due")
    parser.add_argument("--check", action="store_true", help="only say what would be done")
    given = parser.parse_args(arguments)
    edge = Edge(Settings(**json.loads(SETTINGS.read_text())))
    if given.what == "served":
        sys.stdout.write(told(edge.wanted.name))
        return 0
    if given.check:
        sys.stdout.write(keep(edge, force=given.force, check=True))
        return 0
    with locked():
        try:
            if given.what == "deploy":
                edge.deploy()
            else:
                sys.stdout.write(keep(edge, force=given.force, check=False))
            SUCCESS.parent.mkdir(parents=True, exist_ok=True)
            SUCCESS.touch()
        finally:
            tell(edge.wanted, load(edge.link / "fullchain.pem"))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Trouble, OSError) as trouble:
        sys.exit(f"edge_certificate: {trouble}")
