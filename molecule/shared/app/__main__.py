"""python3 -m app COMMAND: one image, many services."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from app.settings import Settings, SettingsError

COMMANDS = ("web", "api", "worker", "scheduler", "migrate", "seed", "healthy")


def main(arguments: Sequence[str]) -> int:
    """Runs one command; 2 says that it was called or configured wrongly."""
    if not arguments or arguments[0] not in COMMANDS:
        sys.stderr.write(f"usage: python3 -m app {' | '.join(COMMANDS)}\n")
        return 2
    command, *rest = arguments
    try:
        settings = Settings(os.environ)
        if command not in ("migrate", "seed", "healthy") and settings.variant == "crash":
            sys.stderr.write(f"app: {command} cannot start: this is the variant that crashes\n")
            return 3
        # Only what the command needs: `healthy` is called in every container, again and again.
        module = importlib.import_module("app.migrating" if command == "migrate" else f"app.{command}")
        return int(module.run(settings, rest))
    except SettingsError as error:
        sys.stderr.write(f"app: {command} cannot start: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
