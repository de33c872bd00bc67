"""The command line; see the package's docstring, and `--help` of each command."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ledger import figures, journal

READ_ERROR = 2


def password() -> str:
    if "LEDGER_PASSWORD" in os.environ:
        return os.environ["LEDGER_PASSWORD"]
    sys.exit("ledger: no password: set LEDGER_PASSWORD; it never goes on the command line")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ledger", description="Acknowledged writes, and what became of them.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str, port: int, user: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text)
        one.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
        one.add_argument("--port", type=int, default=port, help="default: %(default)s")
        one.add_argument("--database", default="trading")
        one.add_argument("--user", default=user, help="default: %(default)s")
        one.add_argument("--sslmode", default="prefer")
        one.add_argument("--timeout", type=float, default=30, help="seconds until a call that hangs is cut off")
        one.add_argument("--settle", type=float, default=120, help="seconds to wait for answers at the end")
        return one

    def bounded(one: argparse.ArgumentParser) -> None:
        one.add_argument("--seconds", type=float, default=60)
        one.add_argument("--handshake", action="store_true", help="READY and PULSE lines; the end of stdin stops it")

    for name, port, user, writers in (("postgres", 6432, "trading_app", 8), ("redis", 6379, "app", 4)):
        one = command(name, f"writes to {name}, then compares", port, user)
        bounded(one)
        one.add_argument("--journal", required=True)
        one.add_argument("--writers", type=int, default=writers)
        one.add_argument("--rate-limit", type=float, default=0, help="writes a second in total; 0: no limit")
        one.add_argument("--max-transfers", type=int, default=200_000)
    one = command("report", "compares a journal with what is there; of a probe that was killed, too", 0, "")
    one.add_argument("--journal", required=True)
    one = command("two-writable", "asks nodes directly whether they acknowledge writes", 5432, "trading_app")
    bounded(one)
    one.set_defaults(sslmode="require", timeout=10)
    one.add_argument("--node", action="append", required=True, metavar="NAME=HOST[:PORT]")
    one.add_argument("--journal-dir", required=True)
    one.add_argument("--interval", type=float, default=0.1)
    one = commands.add_parser("compare", help="two-writable's journals: who was writable when")
    one.add_argument("journals", nargs="+", metavar="JOURNAL")
    one.add_argument("--injected", type=float, help="CLOCK_MONOTONIC at the fault; times are counted from it")
    return parser.parse_args()


def client(asked: argparse.Namespace, kind: str) -> tuple[Any, Any]:
    """The module for a kind, and its target. The other kind's library may be absent."""
    if kind == "postgres":
        from ledger import postgres  # noqa: PLC0415

        return postgres, postgres.Target(
            asked.host, asked.port or 6432, asked.database, asked.user or "trading_app", password(), asked.sslmode
        )
    from ledger import keyvalue  # noqa: PLC0415

    return keyvalue, keyvalue.Target(
        asked.host, asked.port or 6379, asked.user or "app", password(), min(asked.timeout, 5)
    )


def write(asked: argparse.Namespace) -> None:
    from ledger.writers import Limits, Run, stop_when_told  # noqa: PLC0415

    module, target = client(asked, asked.command)
    run = secrets.token_hex(8)
    head = {"kind": asked.command, "run": run, "writers": asked.writers, "wall": time.time()}
    clients: Any
    if asked.command == "postgres":
        head |= module.opened(target)
        clients = lambda _number: module.Mover(target, head["users"])  # noqa: E731
    else:
        clients = lambda number: module.Setter(target, run, number)  # noqa: E731
    book = journal.Journal(asked.journal, head | {"began": time.monotonic()})
    limits = Limits(asked.seconds, asked.writers, asked.rate_limit, asked.max_transfers, asked.timeout)
    running = Run(run, limits, book, clients)
    stop_when_told(running.stop, asked.handshake)
    running.go(asked.handshake)


def report(asked: argparse.Namespace) -> dict[str, Any]:
    told = journal.read(asked.journal)
    module, target = client(asked, told.head["kind"])
    present, more = module.found(target, told.head, asked.settle)
    result: dict[str, Any] = figures.figures(told, present) | more
    return result


def two_writable(asked: argparse.Namespace) -> dict[str, Any]:
    from ledger import postgres, writable  # noqa: PLC0415
    from ledger.writers import stop_when_told  # noqa: PLC0415

    stop = threading.Event()
    secret = password()
    directory = Path(asked.journal_dir)
    directory.mkdir(parents=True, exist_ok=True)
    askers = []
    for node in asked.node:
        name, _equals, address = node.partition("=")
        host, _colon, port = address.partition(":")
        target = postgres.Target(host, int(port or asked.port), asked.database, asked.user, secret, asked.sslmode)
        askers.append(writable.Asker(name, target, directory, asked.interval, asked.timeout))
    stop_when_told(stop, asked.handshake)
    writable.go(askers, asked.seconds, stop, asked.handshake)
    return compared([directory / f"{asker.name}.writable" for asker in askers], None)


def compared(paths: list[Path], injected: float | None) -> dict[str, Any]:
    told = [journal.read(path) for path in paths]
    return figures.compare_nodes([figures.story_of(one) for one in told], injected)


def main() -> None:
    asked = parsed()
    if asked.command == "compare":
        result = compared([Path(path) for path in asked.journals], asked.injected)
    elif asked.command == "two-writable":
        result = two_writable(asked)
    else:
        try:
            if asked.command != "report":
                write(asked)
            result = report(asked)
        # Whatever goes wrong, the probe's words are one object on stdout, and the journal stays for `report`.
        except Exception as error:
            sys.stdout.write(json.dumps({"error": f"{type(error).__name__}: {error}", "journal": asked.journal}) + "\n")
            sys.exit(READ_ERROR)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
