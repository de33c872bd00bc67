"""A ruleset that cuts the controller off is taken back by the host, and the run says so."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fleet import address, docker, inside, site

VICTIM = "db2"
PORT = 8099
LIVE_RULES = "nft -s list table inet trading_platform"
BOOT_RULES = "sha256sum /etc/trading-firewall/ruleset.nft"


def answers(host: str) -> bool:
    try:
        with socket.create_connection((address(host), 22), timeout=0.4):
            return True
    except OSError:
        return False


@contextmanager
def knocking(host: str) -> Iterator[list[tuple[float, bool]]]:
    """Tries the SSH port twice a second, always by a new connection."""
    seen: list[tuple[float, bool]] = []
    done = threading.Event()

    def knock() -> None:
        while not done.is_set():
            seen.append((time.monotonic(), answers(host)))
            done.wait(0.5)

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def test_cut_ssh_is_reverted_within_a_minute() -> None:
    live, boot = inside(VICTIM, LIVE_RULES), inside(VICTIM, BOOT_RULES)

    with knocking(VICTIM) as seen:
        ran = site("--limit", VICTIM, "--tags", "firewall", "-e", '{"base_ssh_sources": ["203.0.113.0/24"]}')

    assert ran.code != 0
    assert "cut Ansible off from" in ran.output
    assert "put the previous rules back by itself" in ran.output
    shut = [moment for moment, open_ in seen if not open_]
    assert shut, "the cut was never real: every knock was answered"
    assert shut[-1] - shut[0] < 60
    assert seen[-1][1], "the port is still shut"

    assert inside(VICTIM, LIVE_RULES) == live
    assert inside(VICTIM, BOOT_RULES) == boot
    assert inside(VICTIM, "ls /run/trading-firewall/pending 2>/dev/null; true") == ""
    assert "Nobody confirmed" in inside(VICTIM, "journalctl -u trading-firewall-revert --no-pager")
    assert inside(VICTIM, "getent hosts db1"), "the container's DNS, which lives in nftables too, is gone"


def test_a_good_run_after_it_changes_nothing() -> None:
    ran = site("--limit", VICTIM, "--tags", "firewall")
    assert ran.code == 0, ran.output
    assert ran.changed[VICTIM] == 0


def test_rules_survive_a_reboot_and_drift_is_repaired() -> None:
    live = inside(VICTIM, LIVE_RULES)
    inside(VICTIM, "nft add rule inet trading_platform input tcp dport 9999 accept")
    ran = site("--limit", VICTIM, "--tags", "firewall")
    assert ran.code == 0, ran.output
    assert ran.changed[VICTIM] == 1
    assert inside(VICTIM, LIVE_RULES) == live
    # What a reboot does: the table is gone, and only the boot unit brings it back.
    inside(VICTIM, "systemctl stop trading-firewall; nft delete table inet trading_platform")
    inside(VICTIM, "systemctl start trading-firewall")
    assert inside(VICTIM, LIVE_RULES) == live


def connects(source: str, port: int) -> bool:
    """Whether the host `source` can open a connection to the victim."""
    attempt = f"import socket; socket.create_connection(('{address(VICTIM)}', {port}), 2)"
    return docker("exec", f"test-{source}", "python3", "-c", attempt).code == 0


def test_an_opening_for_a_group_lets_its_hosts_in_and_nobody_else() -> None:
    openings = [
        {"name": "ssh", "port": 22, "proto": "tcp", "sources": ["any"]},
        {"name": "story", "port": PORT, "proto": "tcp", "sources": ["lb"]},
    ]
    inside(VICTIM, f"systemd-run --quiet --unit=story-listener python3 -m http.server {PORT}")
    try:
        assert not connects("lb1", PORT)
        ran = site("--limit", VICTIM, "--tags", "firewall", "-e", json.dumps({"base_firewall_openings": openings}))
        assert ran.code == 0, ran.output
        assert connects("lb1", PORT)
        assert connects("lb2", PORT)
        assert not connects("app1", PORT)
    finally:
        back = site("--limit", VICTIM, "--tags", "firewall")
        inside(VICTIM, "systemctl stop story-listener")
    assert back.code == 0, back.output
    assert "story" not in inside(VICTIM, LIVE_RULES)
