# Copyright (c) 2026, trading.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a host's releases, written so that a power cut leaves the old or the new one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .._files.flock import taken
from .records import CONFIGURATION, Record, ReleaseError, read_record
from .slots import CONFIG
from .world import Routes, State, read_routes, read_state

FOLDER = "/var/lib/trading-platform/app"
LONGEST = 300
# Seconds that one release has for its end once the next one asks.
PATIENCE = 150.0


class Files:
    def __init__(self, folder: str = FOLDER, config: str = CONFIG) -> None:
        self.folder = Path(folder)
        self.config = Path(config)
        self.records_folder = self.folder / "releases"
        self.routes_file = self.folder / "routes.map"
        self.users_file = self.folder / "users.map"

    @contextmanager
    def locked(self, what: str) -> Iterator[None]:
        """One release at a time on a host, after the one that a killed run has left at work."""
        path = self.folder / "lock"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError as error:
            raise ReleaseError(f"{self.folder} is missing on this host: run playbooks/site.yml first") from error
        except OSError as error:
            raise ReleaseError(f"refused, nothing was touched: {path} cannot be opened: {error}") from error
        with os.fdopen(handle, "r+") as file:
            if not taken(file, PATIENCE):
                raise ReleaseError(
                    "refused, nothing was touched: another release is under way on this host "
                    f"({file.read().strip()}), and did not end within {PATIENCE:g} s"
                )
            try:
                # Unbuffered: what could not be written must not come up again when the file is closed.
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"{what}, process {os.getpid()}\n".encode(), 0)
            except OSError as error:
                raise ReleaseError(f"refused, nothing was touched: {path} cannot be written: {error}") from error
            yield

    def refuse_maintenance(self) -> None:
        path = self.folder / "maintenance"
        if path.exists():
            said = " ".join(path.read_text(errors="replace").split())[:LONGEST] or "the file says neither who nor why"
            raise ReleaseError(
                f"refused, nothing was touched: this host is in maintenance: {said} ({path} has to go first)"
            )

    def state(self) -> State:
        path = self.folder / "state.json"
        return read_state(self._json(path)) if path.exists() else State()

    def write_state(self, state: State) -> None:
        self._write(self.folder / "state.json", json.dumps(state.plain(), indent=1), 0o600)

    def records(self) -> dict[str, Record]:
        found = {}
        for path in sorted(self.records_folder.glob("*.json")):
            record = read_record(self._json(path))
            if record.name != path.stem:
                raise ReleaseError(f"{path} holds the release {record.name}; move it away")
            found[record.name] = record
        return found

    def write_record(self, record: Record) -> None:
        self.records_folder.mkdir(mode=0o700, exist_ok=True)
        self._write(self.records_folder / f"{record.name}.json", json.dumps(record.plain(), indent=1), 0o600)

    def forget(self, release: str) -> None:
        """The record, and secret files that no record has: its own, or those of a deploy that was killed before its."""
        (self.records_folder / f"{release}.json").unlink(missing_ok=True)
        kept = {path.stem.rpartition("-")[2] for path in self.records_folder.glob("*.json")}
        for folder in self.config.glob("*"):
            if CONFIGURATION.fullmatch(folder.name) and folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def routes(self) -> Routes:
        return read_routes(self._map(self.routes_file), self._map(self.users_file))

    def write_routes(self, routes: Routes) -> None:
        """Users first: whichever stands, both sets are there until the last of it is written."""
        live, users = routes.maps()
        for path, entries in ((self.users_file, users), (self.routes_file, live)):
            if self._map(path) != entries or not path.exists():
                self._write(path, "".join(f"{key} {value}\n" for key, value in entries.items()), 0o644)

    def missing_secrets(self, record: Record) -> list[str]:
        paths = {self.config / record.configuration / name for s in record.services for name in s.secrets}
        return [str(path) for path in sorted(paths) if not path.is_file()]

    @staticmethod
    def _map(path: Path) -> dict[str, str]:
        if not path.exists():
            return {}
        lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
        return {fields[0]: fields[1] if len(fields) > 1 else "" for fields in lines if fields and fields[0][0] != "#"}

    @staticmethod
    def _json(path: Path) -> Mapping[str, Any]:
        try:
            read: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ReleaseError(f"{path} cannot be read ({error}); move it away and run the same again") from error
        return read

    @staticmethod
    def _write(path: Path, content: str, mode: int) -> None:
        draft = path.with_name(f".{path.name}.new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode), "w") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
