"""What a container is told: environment for what may be seen, files for what may not. Pure, but for those."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from functools import cached_property
from pathlib import Path

VARIANTS = ("", "crash", "never-ready", "error503", "slow", "leaky")


class SettingsError(Exception):
    """What is missing or wrong, and where."""


class Settings:
    """Read when asked for, so that a service needs to be given only what it uses."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.release = environment.get("RELEASE", "unreleased")
        self.service = environment.get("SERVICE", "app")
        self.instance = environment.get("INSTANCE", "1")
        self.version = environment.get("APP_VERSION", "development")
        self.log_level = environment.get("LOG_LEVEL", "INFO").upper()
        self.secrets = Path(environment.get("SECRETS_DIRECTORY", "/run/secrets"))
        self.variant = environment.get("APP_VARIANT", "")
        if self.variant not in VARIANTS:
            raise SettingsError(f"APP_VARIANT is {self.variant!r}; it is one of {', '.join(filter(None, VARIANTS))}")
        if self.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise SettingsError(f"LOG_LEVEL is {self.log_level!r}; it is DEBUG, INFO, WARNING or ERROR")

    def text(self, name: str) -> str:
        value = self._environment.get(name, "")
        if not value:
            raise SettingsError(f"the environment variable {name} is not set")
        return value

    def number(self, name: str, default: int, lowest: int = 0, highest: int = 65535) -> int:
        value = self._environment.get(name, str(default))
        if not re.fullmatch(r"\d{1,6}", value) or not lowest <= int(value) <= highest:
            raise SettingsError(f"{name} is {value!r}; it is a whole number from {lowest} to {highest}")
        return int(value)

    def secret(self, name: str) -> str:
        path = self.secrets / name
        try:
            value = path.read_text().strip()
        except OSError as error:
            raise SettingsError(f"the secret file {path} cannot be read: {error.strerror}") from None
        if not value:
            raise SettingsError(f"the secret file {path} is empty")
        return value

    @cached_property
    def port(self) -> int:
        return self.number("LISTEN_PORT", 8080 if self.service == "web" else 3000, lowest=1)

    @cached_property
    def drain_seconds(self) -> int:
        return self.number("DRAIN_SECONDS", 10, highest=3600)

    @cached_property
    def slow_seconds(self) -> int:
        return self.number("SLOW_SECONDS", 60)

    @cached_property
    def market_close(self) -> time:
        """In UTC."""
        value = self._environment.get("MARKET_CLOSE", "16:30")
        try:
            return time.fromisoformat(value)
        except ValueError:
            raise SettingsError(f"MARKET_CLOSE is {value!r}; it is a time of day in UTC like 16:30") from None
