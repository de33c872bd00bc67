"""A constant load through the front door, and one JSON object at its end. With --handshake a line each second, too."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import sys
from typing import Any

from traffic.api import MIXES
from traffic.load import Limits, Load, Market, stop_at_the_end_of_stdin


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="traffic", description=__doc__)
    parser.add_argument("--address", required=True, help="where the front door answers, the VIP")
    parser.add_argument("--domain", default="trading.test")
    parser.add_argument("--trusted", required=True, help="file of the CAs that may sign for the domain")
    parser.add_argument("--run", required=True, help="RUN-0@trading.test and so on trade; TRAFFIC_PASSWORD is theirs")
    parser.add_argument("--companies", type=int, nargs="+", required=True, help="of RUN-0, RUN-1 and so on")
    parser.add_argument("--mix", choices=MIXES, default="mixed")
    for limit in dataclasses.fields(Limits):
        if limit.name != "mix":
            parser.add_argument(f"--{limit.name}", type=type(limit.default), default=limit.default)
    parser.add_argument("--handshake", action="store_true", help="READY and PULSE lines; the end of stdin stops it")
    return parser.parse_args()


async def go(asked: argparse.Namespace) -> dict[str, Any]:
    limits = Limits(**{limit.name: getattr(asked, limit.name) for limit in dataclasses.fields(Limits)})
    market = Market(asked.run, asked.companies, os.environ["TRAFFIC_PASSWORD"])
    load = Load(asked.domain, asked.address, asked.trusted, market, limits, asked.handshake)
    if asked.handshake:
        stop_at_the_end_of_stdin(load.stop.set)
    return await load.go()


def main() -> None:
    asked = parsed()
    try:
        result = asyncio.run(go(asked))
    except Exception as error:
        sys.stdout.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        sys.exit(1)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
