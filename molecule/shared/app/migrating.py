"""migrate.py as a command of the image: the owner's connection from this application's own settings."""

from __future__ import annotations

import os
from collections.abc import Sequence

from app import migrate
from app.settings import Settings


def run(settings: Settings, arguments: Sequence[str]) -> int:
    os.environ.update(
        PGHOST=settings.text("DATABASE_HOST"),
        PGPORT=str(settings.number("DATABASE_PORT", 6432, lowest=1)),
        PGDATABASE=settings.text("DATABASE_NAME"),
        PGUSER="trading_owner",
        PGPASSWORD=settings.secret("owner_password"),
        PGCONNECT_TIMEOUT="10",
    )
    return migrate.main(arguments)
