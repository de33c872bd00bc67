"""Whose turn a backup or a drill is. Managed by Ansible (role backup)."""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any

from backup_host import Settings, Trouble, is_primary

# Bytes that a replica may lack and still be read from.
LAG = 64 << 20


def by_turn(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jitter", type=int, default=0, help="begin up to so many seconds later, where cron calls")
    parser.add_argument("--here", action="store_true", help="on this host, whoever's turn it is")


def turn(members: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    """Whose turn it is, and whether that is a replica: the synchronous one, another that keeps up, else the primary.

    At a site that follows another one it is nobody's: what it has is the other one's, who takes its own.
    """
    if any(one["role"] == "standby_leader" for one in members):
        return "", False
    fit = [
        (one["role"] not in {"sync_standby", "quorum_standby"}, one["name"])
        for one in members
        if one["role"] in {"sync_standby", "quorum_standby", "replica"}
        and one["state"] in {"running", "streaming"}
        and isinstance(one.get("lag", 0), int)
        and one.get("lag", 0) <= LAG
    ]
    if fit:
        return min(fit)[1], True
    leaders = [one["name"] for one in members if one["role"] == "leader"]
    if not leaders:
        raise Trouble(
            "The cluster has no leader and no replica that keeps up: no backup was taken. See patronictl list."
        )
    return str(leaders[0]), False


def cluster(told: Settings) -> list[Mapping[str, Any]] | None:
    """Patroni's members, or None where Patroni cannot say: without etcd backups go on."""
    try:
        context = ssl.create_default_context(cafile=f"{told.pki}/ca.pem")
        context.load_cert_chain(f"{told.pki}/fullchain.pem", f"{told.pki}/key.pem")
        with urllib.request.urlopen(f"{told.api}/cluster", timeout=10, context=context) as answer:  # noqa: S310
            members: list[Mapping[str, Any]] = json.load(answer)["members"]
            return members
    except (OSError, HTTPException, ValueError, KeyError):
        return None


def on_turn(told: Settings, here: bool) -> tuple[bool, bool]:
    """Whether it is this host's turn, and whether that is a replica. Says whose turn it is instead."""
    members = None if here else cluster(told)
    who, replica = turn(members) if members is not None else ("", False)
    if here or (members is None and is_primary(told)):
        who = told.name
    if who != told.name:
        nobody = "the primary" if members is None else "the other site"
        sys.stdout.write(f"It is {who or nobody}'s turn.\n")
    return who == told.name, replica
