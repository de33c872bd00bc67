"""A full backup as the role's timers take it against `pgbackrest backup` by hand, by turns, of a ledger of 1 GB."""

from __future__ import annotations

import json
import statistics
import sys
import time

import backups
import data
from fleet import inside
from probe import prepare

SIZE = 1_000_000_000
PAIRS = 3


def timed(host: str, command: str) -> float:
    began = time.monotonic()
    inside(host, command)
    return time.monotonic() - began


def main() -> None:
    prepare()
    backups.wait_first()
    size = backups.grow(SIZE)
    who = data.replica()
    by_hand = f"runuser -u postgres -- pgbackrest --stanza={backups.STANZA} --type=full --backup-standby backup"
    timed(who, by_hand)  # the first reads from disk, the others from memory
    ours, hands = [], []
    for _pair in range(PAIRS):
        hands.append(timed(who, by_hand))
        before = len(backups.sets())
        ours.append(timed(who, "systemctl start backup@full.service"))
        assert len(backups.sets()) > before, "it was another host's turn"
        sys.stderr.write(f"by hand {hands[-1]:.1f} s, ours {ours[-1]:.1f} s\n")
    figures = {
        "ratio": round(statistics.median(one / two for one, two in zip(ours, hands, strict=True)), 3),
        "backup_s": round(statistics.median(ours), 1),
        "mb_per_s": round(size / 1e6 / statistics.median(ours), 1),
    }
    sys.stdout.write(json.dumps({"figures": figures}) + "\n")


if __name__ == "__main__":
    main()
